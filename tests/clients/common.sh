# What the scripts here share; sourced by them. It expects `stormd` and `root` to be set.
#
# What the clients need is installed into a folder below the target folder.

work=${CARGO_TARGET_DIR:-$root/target}/clients
streamparse=5.0.1

# A virtual environment with Thrift's library and streamparse, and types made from our IDL.
install_clients() {
    mkdir -p "$work"
    rm -rf "$work/generated"
    [[ -x $work/venv/bin/python ]] || python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check \
        thrift "streamparse==$streamparse" "$@"
    mkdir -p "$work/generated"
    thrift --gen py -out "$work/generated" "$root/nimbus-client/idl/storm.thrift"
}

# python PROGRAM ARGUMENT...: one of the programs here.
python() {
    "$work/venv/bin/python" "$root/tests/clients/$1" "$work/generated" "$port" "${@:2}"
}

# sparse COMMAND...: streamparse in the folder $project, where it knows our Nimbus; what it says is
# kept.
sparse() {
    (cd "$project" && LEIN_ROOT=1 PYTHONWARNINGS=ignore "$work/venv/bin/sparse" "$@") \
        >"$work/said" 2>&1 || {
        cat "$work/said" >&2
        return 1
    }
}

# write_config [KEYS]: streamparse's own configuration, with more keys of the environment.
write_config() {
    printf '{"serializer": "%s", "topology_specs": "topologies/", "virtualenv_specs": "virtualenvs/",
        "envs": {"test": %s}}\n' "${serializer:-json}" \
        "{\"user\": \"\", \"nimbus\": \"127.0.0.1:$port\", \"workers\": [\"127.0.0.1\"],
          \"use_ssh_for_nimbus\": false, \"use_virtualenv\": false, \"log\": {},
          \"virtualenv_root\": \"\"}" >"$project/config.json"
}

# free_ports COUNT: the first of as many ports in a row that nobody has, below those that the system
# gives to clients.
free_ports() {
    "$work/venv/bin/python" - "$1" <<'PYTHON'
import random, socket, sys

def is_free(port):
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

count = int(sys.argv[1])
candidates = iter(lambda: random.randrange(20_000, 32_000), None)
print(next(first for first in candidates if all(map(is_free, range(first, first + count)))))
PYTHON
}

# await SECONDS COMMAND...: until the command succeeds.
await() {
    local deadline=$((SECONDS + $1))
    while ! "${@:2}"; do
        ((SECONDS < deadline)) || return 1
        read -rt 0.1 <> <(:) || true
    done
}
