package attack

import "bytes"

// target is how much a file is worth to whoever may read it.
type target uint8

const (
	targetNone target = iota
	// targetSystem is a file of the system's: worth having, but spoken of, too.
	targetSystem
	// targetConfig is one that configures or logs, wherever it lies.
	targetConfig
	// targetFile is a file that nobody asks for who may not.
	targetFile
)

// targetOf says what lies at path: /name/name in lower case, as it follows a step
// up or the root. It may be cut at the end.
func targetOf(path []byte) target {
	if len(path) < 4 {
		return targetNone
	}
	first, rest, _ := bytes.Cut(path[1:], []byte("/"))
	switch string(first) {
	case "etc":
		return etcTarget(rest)
	case "proc":
		return procTarget(rest)
	case "var":
		return varTarget(rest)
	case "windows", "winnt", "win", "winxp":
		return windowsTarget(rest)
	case "etcpasswd", "etcshadow", "web-infweb.xml", "inetpubwwwrootglobal.asa", "boot.ini", "autoexec.bat", "win.ini":
		return targetFile
	case "root", "boot", "sys", "usr", "opt", "home", "dev", "private", "library", "volumes", "inetpub", "xampp", "apache", "apache2",
		"apache24", "wamp", "appserv", "logs", "log", "nginx", "mysql", "program files", "users", "system", "php", "php4", "php5", "httpd":
		return deepTarget(path)
	case "tmp":
		if bytes.HasPrefix(rest, []byte(".gatehouse")) {
			return targetFile
		}
	}
	return partTarget(path)
}

// named cuts the name that path begins with: up to what cannot belong to it.
func named(path []byte) []byte {
	for i, c := range path {
		if classOf[c]&(letter|digit) == 0 && c != '_' && c != '-' && c != '.' && c != '$' {
			return path[:i]
		}
	}
	return path
}

// etcTarget says what lies in /etc.
func etcTarget(rest []byte) target {
	name := named(rest)
	switch string(name) {
	case "passwd", "passwd-", "shadow", "shadow-", "gshadow", "group", "hosts", "issue", "sudoers", "master.passwd", "security/passwd",
		"motd", "fstab", "crontab", "resolv.conf", "mtab", "environment", "inetd.conf", "my.cnf", "hostname", "os-release", "krb5.keytab",
		"issue.net", "hosts.allow", "hosts.deny":
		return targetFile
	}
	if bytes.HasPrefix(name, []byte("passwd")) || bytes.HasPrefix(name, []byte("shadow.")) {
		return targetFile
	}
	return targetSystem
}

// procTarget says what lies in /proc.
func procTarget(rest []byte) target {
	who, what, _ := bytes.Cut(rest, []byte("/"))
	switch string(who) {
	case "self", "thread-self", "1":
	default:
		if len(who) == 0 || classOf[who[0]]&digit == 0 {
			return targetSystem
		}
	}
	switch string(named(what)) {
	case "environ", "cmdline", "fd", "maps", "mem", "mounts", "mountinfo", "root", "cwd", "exe", "status", "stat", "net", "task", "attr",
		"auxv", "cgroup", "sched":
		return targetFile
	}
	return targetSystem
}

// varTarget says what lies in /var: logs, and in a Lambda function its code.
func varTarget(rest []byte) target {
	dir, _, _ := bytes.Cut(rest, []byte("/"))
	switch string(dir) {
	case "task", "runtime", "log", "adm", "mail", "spool", "lib", "lock", "run", "apache", "apache2", "mysql", "www", "local", "nis", "cpanel",
		"webmin", "db", "backups", "cron", "tmp", "yp", "saf", "opt", "ftp", "mysql.log", "mysql-bin.log":
		return targetSystem
	}
	return targetNone
}

// windowsTarget says what lies in Windows' own folder.
func windowsTarget(rest []byte) target {
	dir, file, _ := bytes.Cut(rest, []byte("/"))
	switch string(dir) {
	case "win.ini", "system.ini", "php.ini", "my.ini", "repair", "ntds", "panther":
		return targetFile
	case "system32", "sysnative":
		switch string(file) {
		case "drivers/etc/hosts", "config/sam", "config/system", "config/security", "config/software", "inetsrv/config/applicationhost.conf":
			return targetFile
		}
	}
	return targetSystem
}

// deepTarget says what path, in a folder that a system may have, ends in: what
// configures or logs is worth having.
func deepTarget(path []byte) target {
	if t := partTarget(path); t != targetNone {
		return t
	}
	for rest, more := path[1:], true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte("/"))
		switch string(part) {
		case "conf", "etc", "log", "logs", "htdocs", "bin", "cgi-bin", "wwwroot", "share", "php":
			return targetSystem
		}
		if len(part) > 1 && part[0] == '.' && !more || speaks(part) {
			return targetSystem
		}
	}
	return targetNone
}

// speaks reports whether name is that of a file which configures or logs.
func speaks(name []byte) bool {
	dot := bytes.LastIndexAny(name, "._")
	if dot < 0 {
		return false
	}
	switch string(name[dot+1:]) {
	case "log", "conf", "cnf", "ini", "cfg", "mem", "sql":
		return true
	}
	return false
}

// partTarget says what path is by the name of one of its parts, wherever it lies.
func partTarget(path []byte) (most target) {
	var last []byte
	for rest, more := path[1:], true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte("/"))
		most = max(most, nameTarget(last, named(part), more))
		last = part
	}
	return most
}

// nameTarget says what a file called name is, or one in the folder of that name. in
// is the folder that it lies in.
func nameTarget(in, name []byte, folder bool) target {
	switch string(name) {
	case ".git", ".svn", ".aws", ".ssh", ".kube", ".docker", "web-inf", "meta-inf":
		if folder {
			return targetFile
		}
	case "passwd", "shadow":
		if string(in) == "etc" {
			return targetFile
		}
	case "environ", "cmdline":
		if string(in) == "self" {
			return targetFile
		}
	case "id_rsa", "id_ed25519", ".htaccess", ".htpasswd", "boot.ini", "win.ini", "global.asa", ".bash_history", ".netrc", ".pgpass",
		".pypirc", ".mysql_history":
		return targetFile
	case "web.config", "wp-config.php", "access.log", "error.log", "access_log", "error_log", "acces.log", "acces_log", "httpd.conf",
		"php.ini", ".npmrc", ".profile", ".bashrc", "authorized_keys":
		return targetConfig
	}
	if bytes.HasPrefix(name, []byte(".env")) && (len(name) == 4 || name[4] == '.') {
		return targetFile
	}
	return targetNone
}
