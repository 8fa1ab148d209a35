import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'attestation/generated/', 'log-server/generated/', '**/*.d.ts'] },
  {
    files: ['**/*.mjs', '**/*.js'],
    ...js.configs.recommended,
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['**/*.ts'],
    extends: [js.configs.recommended, tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A forgotten await on a durable write is the worst bug this project can have.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              name: ['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach'],
              package: 'node:test',
            },
          ],
        },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    // tlog, client, evidence and attestation run in a browser: only platform-node.ts knows Node.
    files: ['tlog/**/*.ts', 'client/**/*.ts', 'evidence/**/*.ts', 'attestation/**/*.ts'],
    ignores: ['**/*.test.ts', 'tlog/platform-node.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['node:*', 'fs', 'path', 'crypto'] }] },
  },
  {
    // An error says what was expected, what was found, and what to do.
    files: ['{tlog,client,evidence,attestation,system,log-server,witness,cli}/**/*.ts'],
    ignores: ['**/*.test.ts', 'log-server/testing/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'NewExpression[callee.name=/^(Stele|Tlog|Client|Evidence|Attestation|KeyFile|Signing|Log|NotAdmitted|Storage|Witness)Error$/][arguments.length<3]',
          message: 'expected a hint, which says what to do, as the third argument',
        },
        {
          selector: "NewExpression[callee.name='CliError'][arguments.length<4]",
          message: 'expected a hint, which says what to do, as the fourth argument',
        },
        {
          selector: "NewExpression[callee.name=/Error$/] > Literal[value='']",
          message: 'expected words, found an empty text',
        },
      ],
    },
  },
  {
    // The slow references judge the fast code, so they may not import it.
    files: ['test/reference/**/*.ts', 'test/vectors/generate*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            '**/tlog/**',
            '**/system/**',
            '**/client/**',
            '**/evidence/**',
            '**/attestation/**',
            '**/log-server/**',
            '**/witness/**',
            'stele/*',
            '#platform',
          ],
        },
      ],
    },
  },
);
