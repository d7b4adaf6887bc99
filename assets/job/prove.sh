# Whoever acts on a host proves it in the same breath: the lease there still has the token it was taken with. Stands before
# every script that changes something. Takes from the arguments: base directory, token.
base=$1 token=$2
shift 2
prove() {
    if [ -z "$token" ] || [ "$(sed -n 4p "$base/lease" 2>/dev/null)" != "$token" ]; then
        echo "lockkeeper: fenced by $(sed -n '2p' "$base/lease" 2>/dev/null || :)" >&2
        exit 77
    fi
}
