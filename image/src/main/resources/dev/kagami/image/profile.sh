export PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PS1='\h:\w\$ '
alias ll='ls -l'
