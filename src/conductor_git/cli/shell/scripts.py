"""What a shell reads at its start: a function that can change the directory, and the completion."""

from __future__ import annotations

from typing import Final

_CD: Final = """\
conductor-git() {
    case "${1-}: ${2-} ${3-} " in
    cd:*\\ --json\\ * | cd:*\\ --help\\ * | cd:*\\ -h\\ *) command conductor-git "$@" ;;
    cd:*)
        local place
        place="$(CONDUCTOR_GIT_SHELL=1 command conductor-git "$@")" || return
        builtin cd -- "$place"
        ;;
    *) command conductor-git "$@" ;;
    esac
}
"""

BASH: Final = (
    """\
# conductor-git: `conductor-git cd TASK`, and completion. In ~/.bashrc: eval "$(conductor-git init --shell bash)"
"""
    + _CD
    + """\
_conductor_git_reply() {
    local line word
    COMPREPLY=()
    while IFS= read -r line; do
        if [ "$line" = :files ]; then
            compopt -o default 2>/dev/null
            COMPREPLY=()
            return
        fi
        printf -v word %q "${line%%$'\\t'*}"
        COMPREPLY+=("$word")
    done < <(command conductor-git __complete -- "$@" 2>/dev/null)
    case ${COMPREPLY-} in *=) compopt -o nospace 2>/dev/null ;; esac
}
_conductor_git() { _conductor_git_reply "${COMP_WORDS[@]:1:COMP_CWORD}"; }
_git_conductor() { _conductor_git_reply "${words[@]:2:cword-1}"; }
complete -F _conductor_git conductor-git git-conductor
"""
)

ZSH: Final = (
    """\
# conductor-git: `conductor-git cd TASK`, and completion. In ~/.zshrc: eval "$(conductor-git init --shell zsh)"
"""
    + _CD
    + """\
_conductor_git() {
    local line word
    local -a found
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            [[ $PREFIX == --*=* ]] && compset -P '*='
            _files
            return
        fi
        word="${${line%%$'\\t'*}//:/\\\\:}"
        [[ $line == *$'\\t'* ]] && word+=":${line#*$'\\t'}"
        found+=("$word")
    done < <(command conductor-git __complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#found )) && _describe -t conductor-git conductor-git found
}
zstyle ':completion:*:conductor-git' list-grouped no
_git-conductor() { _conductor_git "$@"; }
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _conductor_git conductor-git git-conductor
"""
)

FISH: Final = """\
# conductor-git: `conductor-git cd TASK`, and completion.
# In ~/.config/fish/config.fish: conductor-git init --shell fish | source
function conductor-git --description 'Many coding agents on one git repository'
    if test (count $argv) -gt 0; and test "$argv[1]" = cd
        and not contains -- --json $argv; and not contains -- --help $argv; and not contains -- -h $argv
        set -l place (CONDUCTOR_GIT_SHELL=1 command conductor-git $argv)
        or return
        cd $place
    else
        command conductor-git $argv
    end
end
function __conductor_git_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l found (command conductor-git __complete -- $before[2..-1] "$current" 2>/dev/null)
    if test "$found[1]" = :files
        set -l option (string match -r -- '^--[^=]*=' "$current")
        __fish_complete_path (string replace -- "$option" '' "$current") | string replace -r '^' -- "$option"
    else
        string join \\n -- $found
    end
end
complete -c conductor-git -f -a '(__conductor_git_complete)'
complete -c git-conductor -f -a '(__conductor_git_complete)'
"""

SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH}
