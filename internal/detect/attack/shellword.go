package attack

// commandKind is what must stand beside a command's name before it counts as a
// command and not as a word.
type commandKind uint8

const (
	notCommand    commandKind = iota
	commandRecon              // tells about the host, and is no word of any language
	commandShort              // the same, but also a word or the name of a column: nothing may follow
	commandRead               // shows what a path holds
	commandNet                // takes an address
	commandWait               // takes a number or an address
	commandShell              // runs code or a script
	commandTool               // changes things; build scripts are full of them
	commandWord               // a word of English, too
	commandAdmin              // a tool of Windows' administrators, told what to do
	commandEcho               // says what it is given
	commandPrefix             // another command follows
)

// longestCommand is the length of the longest name that commandOf knows.
const longestCommand = 16

// commandOf returns what kind of command name is, in lower case and without its
// folder.
func commandOf(name []byte) commandKind {
	if len(name) == 0 || len(name) > longestCommand {
		return notCommand
	}
	switch string(name) {
	case "whoami", "ifconfig", "ipconfig", "netstat", "uname", "systeminfo", "sysinfo", "printenv", "tasklist", "lsblk", "lscpu",
		"lsof", "qwinsta", "vssadmin", "getmac", "iptables", "dmesg", "lastlog", "getent", "pstree", "phpinfo",
		"arp", "ps", "uptime", "hostnamectl", "net1", "schtasks", "nbtstat", "driverquery":
		return commandRecon
	case "id", "ls", "dir", "pwd", "env", "set", "hostname", "w", "ver", "ss", "df", "mount", "groups", "route", "reboot", "vol":
		return commandShort
	case "cat", "tac", "type", "head", "tail", "nl", "od", "xxd", "strings", "rev", "base64", "base32", "hexdump", "less", "grep",
		"egrep", "fgrep", "awk", "gawk", "mawk", "sed", "bat", "zcat", "findstr", "uniq", "tee", "get-content", "gc", "get-childitem", "paste":
		return commandRead
	case "curl", "wget", "nc", "ncat", "netcat", "telnet", "ssh", "scp", "ftp", "tftp", "dig", "nslookup", "socat", "rsync",
		"lynx", "fetch", "aria2c", "certutil", "bitsadmin", "tracert", "traceroute", "nmap", "smbclient", "openssl", "invoke-webrequest", "iwr", "sendmail":
		return commandNet
	case "ping", "ping6", "sleep", "timeout", "usleep", "start-sleep", "host", "waitfor":
		return commandWait
	case "sh", "bash", "zsh", "ksh", "dash", "ash", "csh", "tcsh", "fish", "cmd", "powershell", "pwsh", "python", "python2", "python3", "perl",
		"ruby", "php", "node", "lua", "tclsh", "jrunscript", "mshta", "rundll32", "regsvr32", "cscript", "wscript", "gdb", "vim", "emacs", "busybox",
		"php5", "php7", "iex", "invoke-expression", "start-process", "msiexec", "installutil", "expect", "irb", "vi", "script":
		return commandShell
	case "rm", "cp", "mv", "mkdir", "rmdir", "touch", "chmod", "chown", "ln", "kill", "killall", "pkill", "tar", "zip", "unzip", "gzip", "dd",
		"crontab", "useradd", "adduser", "passwd", "usermod", "groupadd", "systemctl", "service", "del", "copy", "xcopy", "robocopy",
		"move", "ren", "attrib", "icacls", "taskkill", "shutdown", "mkfifo", "mknod", "insmod", "apt", "apt-get", "yum", "dnf",
		"apk", "pip", "gcc", "cc", "docker", "kubectl", "aws", "git", "mysql", "psql", "sqlite3", "export", "unset",
		"alias", "trap", "cd", "which", "whereis", "locate", "su", "mail", "iconv", "erase", "format", "halt", "poweroff",
		"init", "umask", "ulimit", "history", "stat", "du", "free", "wall", "write", "chroot", "setenv", "xterm", "screen", "tmux", "at", "md", "rd":
		return commandTool
	case "find", "more", "who", "date", "time", "make", "test", "sort", "cut", "last", "file", "start", "tr", "wc", "diff", "split", "read",
		"top", "users", "look", "call", "cal", "clear", "exit", "true", "false", "yes", "man", "help", "tree", "join", "fold", "command", "info", "jobs",
		"finger", "logger", "column", "sum", "for", "while", "if", "let", "declare", "seq", "shuf", "comm", "cmp", "ed", "ex", "pg", "pr", "fmt", "sysctl":
		return commandWord
	case "echo", "printf", "echo.":
		return commandEcho
	case "net", "netsh", "reg", "sc", "wmic":
		return commandAdmin
	case "sudo", "exec", "nohup", "builtin", "xargs", "doas", "setsid", "strace", "eval", "source", "nice", "watch", "then", "do", "else", "!":
		return commandPrefix
	}
	return notCommand
}

// isSecretPath reports whether word, in lower case, names a file or a device that
// attacks read and programs do not.
func isSecretPath(word []byte) bool {
	for i, c := range word {
		rest := word[i:]
		switch c {
		case 'e':
			if hasPrefix(rest, "etc/passwd") || hasPrefix(rest, "etc/shadow") || hasPrefix(rest, "etc/hosts") || hasPrefix(rest, "etc/group") ||
				hasPrefix(rest, "etc/sudoers") || hasPrefix(rest, "etc/issue") || hasPrefix(rest, "etc/crontab") {
				return true
			}
		case 'd':
			if hasPrefix(rest, "dev/tcp/") || hasPrefix(rest, "dev/udp/") {
				return true
			}
		case 'p':
			if hasPrefix(rest, "proc/self/") || hasPrefix(rest, "proc/version") {
				return true
			}
		case 'b':
			if hasPrefix(rest, "boot.ini") || i > 0 && word[i-1] == '/' && (hasPrefix(rest, "bin/sh") || hasPrefix(rest, "bin/bash")) ||
				hasPrefix(rest, "bash_history") {
				return true
			}
		case 'w':
			if hasPrefix(rest, "win.ini") || hasPrefix(rest, "windows\\repair") || hasPrefix(rest, "winnt\\repair") ||
				hasPrefix(rest, "windows\\system32\\config") || hasPrefix(rest, "windows\\system32\\drivers\\etc") {
				return true
			}
		case '\\':
			if hasPrefix(rest, "\\repair\\sam") || hasPrefix(rest, "\\repair\\system") {
				return true
			}
		case 'i':
			if hasPrefix(rest, "id_rsa") || hasPrefix(rest, "inet/tcp") {
				return true
			}
		case '.':
			if hasPrefix(rest, ".ssh/") || hasPrefix(rest, ".aws/cred") {
				return true
			}
		}
	}
	return false
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}
