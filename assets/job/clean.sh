# Removes what was listed, and nothing else. Arguments: where else copies lie. Standard input: a path a line, each of them
# directly in a place where sessions leave things.
set -eu
elsewhere=$1
while IFS= read -r path; do
    prove
    case ${path##*/} in '' | . | .. | *[!A-Za-z0-9._@:+-]*) exit 1 ;; esac
    case ${path%/*} in "$base/jobs" | "$base/backups" | "$elsewhere") ;; *) exit 1 ;; esac
    # A link in the place of the directory would lead elsewhere.
    [ ! -L "${path%/*}" ] && [ -O "${path%/*}" ] || exit 1
    case ${path%/*} in
    "$base/jobs")
        if claimed=$(readlink "$path/claimed" 2>/dev/null) && [ "$claimed" != void ] && [ ! -f "$path/exit" ]; then
            rest=${claimed#*:}
            if alive "${rest%%:*}" "${rest#*:}"; then continue; fi
        fi
        ;;
    esac
    rm -rf -- "$path"
done
