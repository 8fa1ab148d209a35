# With --publish-partials a log's public folder is all that a reader needs: here it is behind nginx.
static() {
  local port nginx public size
  if ! nginx=$(PATH=$PATH:/usr/sbin command -v nginx); then
    check 'nginx is there (Debian: nginx-light)' false
    return
  fi
  printf 'quorum none\n' >"$work/nobody"
  stele_log static interop.example/static "$work/nobody" --publish-partials
  public=$work/static/data/public
  port=$(free_port)
  mkdir "$work/nginx"
  {
    # As root it would give its workers to a user who may not read a temporary folder.
    [ "$(id -u)" != 0 ] || echo 'user root;'
    cat <<-CONF
	worker_processes 1;
	daemon off;
	pid $work/nginx/pid;
	error_log $work/nginx/error.log;
	events {}
	http {
	  access_log off;
	  default_type application/octet-stream;
	  client_body_temp_path $work/nginx/body;
	  proxy_temp_path $work/nginx/proxy;
	  fastcgi_temp_path $work/nginx/fastcgi;
	  uwsgi_temp_path $work/nginx/uwsgi;
	  scgi_temp_path $work/nginx/scgi;
	  server {
	    listen 127.0.0.1:$port;
	    root $public;
	  }
	}
	CONF
  } >"$work/nginx/conf"
  # Sizes below, at and above what a tile holds, and above what one of level 1 holds.
  local -A grow=([1]=1 [256]=255 [300]=44 [66000]=65700)
  start nginx "$port" "$nginx" -c "$work/nginx/conf" -e "$work/nginx/error.log"
  for size in 1 256 300 66000; do
    check "our log grows to $size" "$bin/load" -url "$log" -in-flight "$((grow[$size] < 512 ? grow[$size] : 512))" -size 64 -seed "$size" -limit "${grow[$size]}"
    check "tessera's fsck passes the folder behind nginx at $size" tessera_fsck "http://127.0.0.1:$port" "$work/static.vkey" "$size"
    check "tessera's client reads it" "$bin/tesseraclient" -log "http://127.0.0.1:$port" -vkey "@$work/static.vkey" -min-size "$size"
  done
  # It writes to the server and reads from nginx, where what a checkpoint covers must lie before it does.
  check "tessera's hammer reads behind nginx while it writes" hammer "http://127.0.0.1:$port" "$work/static.vkey" 5000 --write_log_url "$log/"
  read_log 'the folder itself' "$public" "$work/static.vkey"
  check 'stele-log fsck passes it behind nginx' our_fsck "http://127.0.0.1:$port" "$work/static.vkey"
  printf 'log %s\nquorum none\n' "$(cat "$work/static.vkey")" >"$work/static.policy"
  count node dist/interop/read-log.js "http://127.0.0.1:$port" "$work/static.policy"
}
