# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Bash completion for cprovctl.

_cprovctl_hint='--class --budget --home-cpu --home-node --flow --follow-task --anti-migrate
	--bounded-batch --reuse-registration'

_cprovctl_knobs()
{
	local dir=/sys/kernel/completion_provenance

	find "$dir" -path "$dir/counters" -prune -o -type f -printf '%P\n' 2>/dev/null
}

_cprovctl_rules()
{
	local word=$1

	case $word in
	show | on | off | del)
		find /sys/kernel/config/completion_provenance -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null
		;;
	add) echo "--comm --uid --cgroup --order --off $_cprovctl_hint" ;;
	save | load) compgen -f -- "$current" ;;
	*) echo 'list show add on off del flush save load' ;;
	esac
}

_cprovctl()
{
	local current=${COMP_WORDS[COMP_CWORD]} command='' words='' i

	COMPREPLY=()
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--class) words='throughput latency step_critical prefetch' ;;
	--uid) words=$(compgen -u) ;;
	--budget | --home-cpu | --home-node | --flow | --comm | --cgroup | --order | --watch | --times) return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }
	done
	if [[ -z $words ]]; then
		case $command in
		'') words='status get set counters rules run --json --help --version' ;;
		get) words=$(_cprovctl_knobs) ;;
		set) words=$(_cprovctl_knobs | sed 's/$/=/') ;;
		counters) words='--all --reset --watch --times --json' ;;
		rules) words=$(_cprovctl_rules "${COMP_WORDS[i + 1]:-}") ;;
		run) words="$_cprovctl_hint --strict" ;;
		esac
	fi
	# Names of rules, knobs and users have no blanks.
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o default -F _cprovctl cprovctl
