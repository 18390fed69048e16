# Takes a line apart into words as bash does, but expands nothing. The last word,
# the one that the line ends in, goes to `word`, the quote that is open there to
# `quote`, and the words before it to `words`.
_mlt_split() {
    local line=$1 started="" c
    local i
    words=() word="" quote=""
    for ((i = 0; i < ${#line}; i++)); do
        c=${line:i:1}
        case $quote$c in
            "''" | '""')
                quote=""
                ;;
            '"\')
                case ${line:i+1:1} in
                    [\$\`\"\\])
                        i=$((i + 1))
                        c=${line:i:1}
                        ;;
                esac
                word+=$c
                ;;
            [\'\"])
                quote=$c started=1
                ;;
            '\')
                i=$((i + 1))
                word+=${line:i:1} started=1
                ;;
            [[:space:]])
                if [[ $started ]]; then
                    words+=("$word")
                fi
                word="" started=""
                ;;
            *)
                word+=$c started=1
                ;;
        esac
    done
}

# Quotes `part`, which goes where the quote `quote` is open. Names come from
# traces, and must not become commands when the line is run.
_mlt_quote() {
    local text=$part c
    local i
    if [[ -z $quote ]]; then
        if [[ $part == *[^[:alnum:]_.,:/=@%+-]* ]]; then
            printf -v part %q "$part"
        fi
        return
    fi
    part=""
    for ((i = 0; i < ${#text}; i++)); do
        c=${text:i:1}
        case $quote$c in
            "''") c="'\\''" ;;
            # Bash looks for `!` in double quotes too, and keeps a backslash before it.
            '"!') c='"\!"' ;;
            '"$' | '"`' | '""' | '"\') c="\\$c" ;;
        esac
        part+=$c
    done
    # Readline takes a quote in front for the one that is open.
    if [[ $part == "$quote"* ]]; then
        part=$quote$part
    fi
}

_mlt() {
    local line=${COMP_LINE:0:COMP_POINT} word quote part before candidate
    local -a words
    # Readline replaces what is behind the last quote, `:`, `=` and the like.
    local replaced=${2#[\'\"]}
    _mlt_split "${line%"$replaced"}"
    before=$word
    local open=$quote
    _mlt_split "$line"
    words+=("$word")
    quote=$open

    COMPREPLY=()
    while IFS= read -r candidate; do
        candidate=${candidate%%$'\t'*}
        if [[ $candidate && $candidate == "$before"* ]]; then
            part=${candidate:${#before}}
            _mlt_quote
            COMPREPLY+=("$part")
        fi
    done <<<"$(MLT_COMPLETE=$((${#words[@]} - 1)) mlt -- "${words[@]}" 2>/dev/null)"

    if ((${#COMPREPLY[@]} == 1)); then
        if [[ $quote || ${COMPREPLY[0]} == *[=/:.] ]]; then
            compopt -o nospace 2>/dev/null
        fi
        # Readline closes the quote, unless one stands there already.
        if [[ $quote && ${COMPREPLY[0]} == *"$quote" ]]; then
            COMPREPLY[0]+=$quote
        fi
    fi
}
complete -o bashdefault -o nosort -F _mlt mlt 2>/dev/null ||
    complete -o bashdefault -F _mlt mlt
