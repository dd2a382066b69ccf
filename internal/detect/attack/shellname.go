package attack

import "bytes"

// isCommandName reports whether word, by itself, is the name of a command that is
// no word of a language and no usual name of anything else. It is a weak sign.
func isCommandName(word []byte) bool {
	var buf [32]byte
	if len(word) < 2 || len(word) > len(buf) {
		return false
	}
	name := lowered(buf[:0], word)
	switch commandOf(name) {
	case commandRecon:
		return true
	case commandNet, commandShell:
		return !isCommonName(name)
	}
	return isUtility(name) || isCmdlet(name)
}

// isCommonName reports whether a command shares its name with what values hold.
func isCommonName(name []byte) bool {
	switch string(name) {
	case "python", "perl", "ruby", "php", "node", "lua", "fish", "cmd", "script", "expect", "ash", "dash", "vi", "vim", "emacs", "fetch", "ftp", "ssh",
		"curl", "lynx", "openssl", "sh", "bash", "dig", "nc", "scp", "telnet", "host":
		return true
	}
	return false
}

// isUtility reports whether name is a tool of Unix' or Windows' administrators.
func isUtility(name []byte) bool {
	switch string(name) {
	case "aclocal", "addr2line", "adduser", "aptitude", "atq", "atrm", "autoconf", "automake", "badblocks", "blkid", "bunzip2", "bzcat", "bzgrep",
		"bzip2", "bzless", "cfdisk", "chage", "chattr", "chfn", "chgrp", "chkconfig", "chmod", "chown", "chroot", "chsh", "chvt", "cksum", "cpio", "crontab",
		"csplit", "debugfs", "depmod", "dirname", "dmesg", "dumpe2fs", "e2fsck", "e2label", "ethtool", "fdformat", "fdisk", "fgrep", "fsck",
		"fuser", "getfacl", "getopt", "gpasswd", "groupadd", "groupdel", "groupmod", "grpck", "grpconv", "gunzip", "hdparm", "hexdump", "htpasswd", "hwclock",
		"ifdown", "ifup", "insmod", "ipcrm", "ipcs", "iwconfig", "kbdrate", "killall", "killall5", "klogd", "ldconfig", "ldd", "losetup", "lpq", "lpr", "lprm",
		"lsattr", "lsmod", "lspci", "lsusb", "lvm", "mesg", "mkdir", "mkdosfs", "mke2fs", "mkfifo", "mkfs", "mkisofs", "mknod", "mkswap", "mktemp",
		"modinfo", "modprobe", "mpartition", "nameif", "newaliases", "newgrp", "newusers", "nfsstat", "nohup", "nsupdate", "objdump", "passwd", "pathchk",
		"pidof", "pkill", "pwck", "pwconv", "pwunconv", "quotacheck", "quotaoff", "quotaon", "rdev", "readelf", "readlink", "renice", "repquota", "rlogin",
		"rmdir", "rmmod", "rpcinfo", "rsh", "runlevel", "setfacl", "setquota", "setserial", "setsid", "setterm", "sfdisk", "showmount", "slattach",
		"strace", "stty", "sudo", "swapoff", "swapon", "sysctl", "syslogd", "tcpdump", "telinit", "tftpd", "tracepath", "tset", "tune2fs", "tzselect", "umount",
		"unexpand", "useradd", "userdel", "usermod", "uudecode", "uuencode", "uuidgen", "vipw", "vmstat", "whereis", "xargs", "ypbind", "ypcat", "ypinit",
		"ypmatch", "yppasswd", "ypserv", "ypwhich", "zcat", "zcmp", "zdiff", "zforce", "zgrep", "zless", "zmore",
		"attrib", "bcdedit", "bootcfg", "cacls", "chcp", "chkdsk", "chkntfs", "convert.exe", "diskpart", "doskey", "eventcreate", "eventquery",
		"findstr", "ftype", "gpresult", "gpupdate", "icacls", "lodctr", "mountvol", "msinfo32", "ntbackup", "ntdsutil", "openfiles", "pathping", "perfmon",
		"rasdial", "regsvr32", "robocopy", "schtasks", "setx", "subst", "takeown", "taskkill", "tracerpt", "typeperf", "unlodctr", "vssadmin", "w32tm",
		"wevtutil", "xcopy", "launchctl", "networksetup", "osascript", "pbcopy", "pbpaste", "scutil", "softwareupdate", "sw_vers", "systemsetup":
		return true
	}
	return false
}

// isCmdlet reports whether name is a command of PowerShell's: a verb of its own and
// a noun.
func isCmdlet(name []byte) bool {
	verb, noun, ok := bytes.Cut(name, []byte("-"))
	if !ok {
		return false
	}
	switch string(verb) {
	case "get", "set", "new", "remove", "import", "export", "invoke", "write", "read", "out", "start", "stop", "resume", "suspend", "restart", "clear",
		"copy", "move", "rename", "resolve", "split", "join", "measure", "format", "convertto", "convertfrom", "foreach", "where", "add", "update":
	default:
		return false
	}
	for _, known := range [...]string{"item", "itemproperty", "content", "location", "psdrive", "psdebug", "pssnapin", "process", "service", "host", "history",
		"alias", "acl", "authenticodesignature", "executionpolicy", "eventlog", "wmiobject", "ciminstance", "command", "member", "object", "variable",
		"path", "file", "printer", "null", "string", "table", "list", "wide", "clixml", "csv", "html", "json", "securestring", "expression", "webrequest",
		"restmethod", "culture", "uiculture", "unique", "error", "output", "verbose", "warning", "debug", "progress", "formatdata", "typedata", "sleep", "date",
		"childitem", "credential", "pfxcertificate", "psprovider", "tracesource", "random", "help", "module", "job"} {
		if string(noun) == known {
			return true
		}
	}
	return false
}
