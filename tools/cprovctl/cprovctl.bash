# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Bash completion for cprovctl.

_cprovctl_hint='--class --budget --home-cpu --home-node --flow --follow-task --anti-migrate
	--bounded-batch --reuse-registration'

# Of the lines that it reads, those that begin with what is typed, quoted. Not `compgen -W`,
# which expands them as the shell does: a rule may be called $(reboot).
_cprovctl_reply()
{
	local line

	while IFS= read -r line; do
		[[ $line != "$current"* ]] || COMPREPLY+=("$(printf %q "$line")")
	done
}

_cprovctl_words()
{
	local -a words

	read -ra words -d '' <<<"$*" || :
	printf '%s\n' "${words[@]}"
}

_cprovctl_knobs()
{
	local dir=/sys/kernel/completion_provenance

	find "$dir" -path "$dir/counters" -prune -o -type f -printf '%P\n' 2>/dev/null
}

_cprovctl_rules()
{
	case $1 in
	show | on | off | del)
		find "${CPROVCTL_RULES:-/sys/kernel/config/completion_provenance}" -mindepth 1 -maxdepth 1 \
			-printf '%f\n' 2>/dev/null
		;;
	add) _cprovctl_words "--comm --uid --cgroup --order --off $_cprovctl_hint" ;;
	# Files are what there is by default.
	save | load) ;;
	*) _cprovctl_words 'list show add on off del flush save load' ;;
	esac
}

_cprovctl()
{
	local current=${COMP_WORDS[COMP_CWORD]} command='' i

	COMPREPLY=()
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--class)
		_cprovctl_reply < <(_cprovctl_words 'throughput latency step_critical prefetch')
		return
		;;
	--uid)
		_cprovctl_reply < <(compgen -u)
		return
		;;
	--budget | --home-cpu | --home-node | --flow | --comm | --cgroup | --order | --watch | --times) return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }
	done
	_cprovctl_reply < <(case $command in
		'') _cprovctl_words 'status get set counters rules run --json --help --version' ;;
		get) _cprovctl_knobs ;;
		set) _cprovctl_knobs | sed 's/$/=/' ;;
		counters) _cprovctl_words '--all --reset --watch --times --json' ;;
		rules) _cprovctl_rules "${COMP_WORDS[i + 1]:-}" ;;
		run) _cprovctl_words "$_cprovctl_hint --strict" ;;
		esac)
}

complete -o default -F _cprovctl cprovctl
