_mlt() {
    # Bash takes words apart at `:` and `=`. They are put together again here,
    # up to the cursor, and what stands before the last part is cut off below.
    local line=${COMP_LINE:0:COMP_POINT} rest part i
    local -a words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        rest=${line#"${line%%[![:space:]]*}"}
        part=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then
            part=$rest
        fi
        if ((i > 0)) && [[ $rest == "$line" ]]; then
            words[${#words[@]} - 1]+=$part
        else
            words+=("$part")
        fi
        line=${rest#"$part"}
    done

    local last=$((${#words[@]} - 1))
    local quote="" word=${words[last]}
    case $word in
        \'* | \"*)
            quote=${word:0:1}
            word=${word:1}
            ;;
    esac
    words=("${words[@]//[\'\"\\]/}")
    words[last]=$word

    local IFS=$'\v'
    COMPREPLY=($(
        COMPLETE=bash _CLAP_IFS=$IFS _CLAP_COMPLETE_INDEX=$last mlt -- "${words[@]}" 2>/dev/null
    ))

    local typed=${2#[\'\"]}
    local before=${word%"$typed"}
    for i in "${!COMPREPLY[@]}"; do
        part=${COMPREPLY[i]#"$before"}
        if [[ -z $quote && $part == *[^[:alnum:]_.,:/=@%+-]* ]]; then
            printf -v part %q "$part"
        fi
        COMPREPLY[i]=$part
    done
    if ((${#COMPREPLY[@]} == 1)) && [[ $quote || ${COMPREPLY[0]} == *[=/:.] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -o nosort -F _mlt mlt 2>/dev/null ||
    complete -o bashdefault -F _mlt mlt
