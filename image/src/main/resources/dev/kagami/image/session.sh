# The console's session: the command given by kagami.run, or a shell.

echo $$ >/run/kagami-session.pid

line=" $(cat /proc/cmdline) "

# Prints the value of a kernel parameter, which may be quoted: name="a b".
parameter() {
    case $line in
        *" $1=\""*)
            value=${line#*" $1=\""}
            printf '%s' "${value%%\"*}"
            ;;
        *" $1="*)
            value=${line#*" $1="}
            printf '%s' "${value%% *}"
            ;;
        *)
            return 1
            ;;
    esac
}

is_number() {
    case $1 in
        '' | *[!0-9]*) return 1 ;;
    esac
}

columns=$(parameter kagami.columns)
rows=$(parameter kagami.rows)
if is_number "$columns" && is_number "$rows"; then
    stty columns "$columns" rows "$rows"
fi

export HOME=/root
cd /root

if encoded=$(parameter kagami.run64); then
    run=$(printf '%s' "$encoded" | base64 -d)
    sh -c "$run"
    echo "kagami.run: exit status $?"
elif run=$(parameter kagami.run); then
    sh -c "$run"
    echo "kagami.run: exit status $?"
else
    echo
    echo "Linux $(uname -r) on Kagami. Type poweroff to leave."
    sh -l
fi

# The end of the session is the end of the machine.
poweroff
