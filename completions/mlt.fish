function __mlt_candidates
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l typed (commandline --current-token --cut-at-cursor)
    # A quote that is open is closed, to see what it holds.
    set -l word $typed
    for quote in '' "'" '"'
        if set -l plain (string unescape -- "$typed$quote" 2>/dev/null)
            set word $plain
            break
        end
    end
    # Fish leaves a tilde in front as it is, which then stands for a folder.
    set -l unsafe '^$'
    string match --quiet --regex '^[\'"]' -- $typed; or set unsafe '^~'
    MLT_COMPLETE=(count $words) mlt -- $words "$word" 2>/dev/null |
        string match --invert --regex $unsafe
end
complete --keep-order --exclusive --command mlt --arguments "(__mlt_candidates)"
