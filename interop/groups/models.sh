# Digests of models: ours and those of OpenSSF Model Signing's own implementation, a Python package.
MODEL_SIGNING='model-signing==1.1.1 pyOpenSSL==26.4.0'
models() {
  local venv=$bin/python-${MODEL_SIGNING//[^a-zA-Z0-9.]/-}
  if [ ! -e "$venv/done" ]; then
    rm -rf "$venv"
    check "$MODEL_SIGNING can be installed" install_model_signing "$venv" || return
  fi
  count node dist/interop/models.js "$venv/bin/python"
}

install_model_signing() { # a folder of its own, keyed by version
  local packages
  read -ra packages <<<"$MODEL_SIGNING"
  python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check "${packages[@]}" && touch "$1/done" && echo installed
}
