# Says in words that something cannot be written. Stands before scripts that write. Arguments: the directory, and what.
no_room() {
    free=$(df -Pk "$1" 2>/dev/null | { read -r _ && read -r _ _ _ free _ && echo "$free"; }) || free=unknown
    echo "$2 cannot be written in $1: is there room? ($free KiB are free there; \`df -i\` counts what else runs out)" >&2
    exit 1
}
