# bash takes words apart at `:` and `=`, and replaces only what stands behind the last of them. So the words are put
# together again for the question, and what stands before is taken off the answers.
_lockkeeper() {
    local words=() at=0 i
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        if ((i > 0)) && [[ ${COMP_WORDS[i]} == [:=] || ${COMP_WORDS[i - 1]} == [:=] ]]; then
            words[${#words[@]} - 1]+=${COMP_WORDS[i]}
        else
            words+=("${COMP_WORDS[i]}")
        fi
        ((i == COMP_CWORD)) && at=$((${#words[@]} - 1))
    done
    local whole=${words[at]}
    local COMP_WORDS=("${words[@]}") COMP_CWORD=$at
    _clap_complete_lockkeeper "$1" "$whole" "$3"
    COMPREPLY=("${COMPREPLY[@]#"${whole%"$2"}"}")
}
if ((BASH_VERSINFO[0] > 4 || BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4)); then
    complete -o nospace -o bashdefault -o nosort -F _lockkeeper lockkeeper
else
    complete -o nospace -o bashdefault -F _lockkeeper lockkeeper
fi
