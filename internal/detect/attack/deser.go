package attack

import (
	"bytes"
	"encoding/base64"

	"gatehouse/internal/detect"
)

// Places in deserRules.
const (
	deserJava = iota
	deserDotNet
	deserPHP
	deserPython
	deserRuby
	deserNode
	deserYAML
	deserXML
	deserType
	deserClass
	deserSuspect
)

var deserRules = []rule{
	deserJava:    {id: "deser.java", signature: "Serialized Java object", category: "deserialization", severity: detect.Critical, score: sure},
	deserDotNet:  {id: "deser.dotnet", signature: "Serialized .NET object", category: "deserialization", severity: detect.Critical, score: sure},
	deserPHP:     {id: "deser.php", signature: "Serialized PHP object", category: "deserialization", severity: detect.Critical, score: sure},
	deserPython:  {id: "deser.python", signature: "Python pickle that calls", category: "deserialization", severity: detect.Critical, score: sure},
	deserRuby:    {id: "deser.ruby", signature: "Serialized Ruby object", category: "deserialization", severity: detect.Critical, score: sure},
	deserNode:    {id: "deser.node", signature: "Serialized JavaScript function", category: "deserialization", severity: detect.Critical, score: sure},
	deserYAML:    {id: "deser.yaml", signature: "YAML tag that makes an object", category: "deserialization", severity: detect.Critical, score: sure},
	deserXML:     {id: "deser.xml", signature: "XML that makes Java objects", category: "deserialization", severity: detect.Critical, score: sure},
	deserType:    {id: "deser.type", signature: "Type of a gadget in JSON", category: "deserialization", severity: detect.Critical, score: sure},
	deserClass:   {id: "deser.class", signature: "Class that gadgets are made of", category: "deserialization", severity: detect.High, score: refuseAt + 2},
	deserSuspect: {id: "deser.suspect", signature: "Serialized object", category: "deserialization", severity: detect.Medium, score: suspect},
}

// What is in base64 is recognised there: the bytes that it stands for are no text.
var deserFamily = family{
	tokens: []string{
		"ro0ab", "aced0005", "aaad////", "aaaa/////w", "aaap////", ":{", "gasv", "bahv", "bahb", "bahj", "bah7", "_$$nd_func",
		"builtin__\n", "builtins\n", "\nsystem\n", "\npopen\n", "\neval\n", "\nexec\n", "\ncheck_output\n",
		"!!python/", "!!java", "!!com.", "!!org.", "!!ch.", "!!js/", "!ruby/", "!php/",
		"xmldecoder", "eventhandler", "dynamic-proxy", "class=\"java.lang.",
		"jdbcrowset", "templatesimpl", "xmlapplicationcontext", "objectdataprovider", "invokertransformer", "pooldatasource", "jndirefforward",
		"propertypathfactory", "diagnostics.process", "assemblyinstaller", "scriptenginemanager", "java.lang.", "java.net.", "jndidatasource", "connectionsource",
	},
	rules: deserRules, match: matchDeser,
}

// sign is a text that a serialized object has, and how it is judged: at is where in
// text it stands.
type sign struct {
	text  string
	judge func(in *inspection, text []byte, at int) int // a place in deserRules, -1
}

var deserSigns = [...]sign{
	{"rO0AB", judgeJava}, {"aced0005", judgeHex}, {"ACED0005", judgeHex},
	{"AAEAAAD/////", judgeDotNet}, {"ABAAAA/////w", judgeDotNet}, {"AQAAAP////8B", judgeDotNet},
	{"gASV", judgePickle}, {"BAh", judgeMarshal},
	{"_$$ND_FUNC$$_", func(*inspection, []byte, int) int { return deserNode }},
	{":{", judgePHP}, {"!!", judgeYAML}, {"!ruby/", judgeYAML}, {"!php/", judgeYAML},
	{"class=\"java.beans.XMLDecoder\"", judgeXML}, {"java.beans.EventHandler", judgeXML}, {"<dynamic-proxy>", judgeXML},
	{"class=\"java.lang.ProcessBuilder\"", judgeXML}, {"class=\"java.lang.Runtime\"", judgeXML},
}

// matchDeser finds objects in the forms in which languages write them, and the
// classes of which gadgets are made.
func matchDeser(in *inspection, p *probe) (r *rule, at int) {
	text := p.span()
	if !in.spend(2 * len(text)) {
		return nil, 0
	}
	best := -1
	keep := func(rule, i int) {
		if rule >= 0 && (best < 0 || deserRules[rule].score > deserRules[best].score) {
			best, at = rule, i
		}
	}
	keep(judgeClass(in, text), 0)
	keep(judgeTextPickle(text))
	for i := range deserSigns {
		s := &deserSigns[i]
		for from := 0; best < 0 || deserRules[best].score < sure; {
			n := bytes.Index(text[from:], []byte(s.text))
			if n < 0 {
				break
			}
			keep(s.judge(in, text, from+n), from+n)
			from += n + len(s.text)
		}
	}
	if best < 0 {
		return nil, 0
	}
	return &deserRules[best], p.from + at
}

// isBase64 reports whether c belongs to base64 in either alphabet.
func isBase64(c byte) bool { return classOf[c]&(letter|digit|slash) != 0 || c == '-' || c == '_' }

// run is how many characters of base64 stand at the beginning of b, up to most.
func base64Run(b []byte, most int) (n int) {
	for n < len(b) && n < most && isBase64(b[n]) {
		n++
	}
	return n
}

// begins reports whether a run of base64 begins at text[at], perhaps behind a slash
// or a dash of an address.
func begins64(text []byte, at int) bool {
	return at == 0 || classOf[text[at-1]]&(letter|digit|slash) == 0 || text[at-1] == '/' && at > 1 && !isBase64(text[at-2])
}

// decoded64 returns the first bytes of what the base64 at the beginning of b stands
// for, in dst.
func decoded64(dst, b []byte) []byte {
	n := min(base64Run(b, base64.StdEncoding.EncodedLen(len(dst))), len(dst)*4/3) &^ 3
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(b[:n], "-_") {
		enc = base64.RawURLEncoding
	}
	m, err := enc.Decode(dst, b[:n])
	if err != nil {
		return nil
	}
	return dst[:m]
}

func judgeJava(_ *inspection, text []byte, at int) int {
	next := text[at+len("rO0AB"):]
	if !begins64(text, at) || len(next) == 0 || next[0] < 'Q' || next[0] > 'X' {
		return -1
	}
	return deserJava
}

func judgeHex(_ *inspection, text []byte, at int) int {
	next := text[at+len("aced0005"):]
	if at > 0 && classOf[text[at-1]]&(letter|digit) != 0 && (at < 2 || text[at-1]|0x20 != 'x') || len(next) < 2 || next[0] != '7' {
		return -1
	}
	return deserJava
}

func judgeDotNet(_ *inspection, text []byte, at int) int {
	if base64Run(text[at:], 24) < 20 && !bytes.HasPrefix(text[at:], []byte("AAEAAAD/////")) {
		return -1
	}
	return deserDotNet
}

// judgePickle reads a pickle of protocol 4 in base64: a frame's length, whose upper
// bytes are zero, and the names of what it calls.
func judgePickle(_ *inspection, text []byte, at int) int {
	var buf [72]byte
	b := decoded64(buf[:], text[at:])
	if !begins64(text, at) || len(b) < 16 || !bytes.Equal(b[6:11], make([]byte, 5)) {
		return -1
	}
	for _, name := range [...]string{"posix", "nt\x94", "system", "subprocess", "builtin", "popen", "eval", "exec", "importlib", "commands"} {
		if bytes.Contains(b, []byte(name)) {
			return deserPython
		}
	}
	return deserSuspect
}

// judgeMarshal reads what Ruby's Marshal wrote, in base64.
func judgeMarshal(_ *inspection, text []byte, at int) int {
	if !begins64(text, at) {
		return -1
	}
	var buf [72]byte
	b := decoded64(buf[:], text[at:])
	if len(b) < 12 {
		return -1
	}
	for _, name := range [...]string{"Gem::", "ActiveSupport::", "ActiveModel::", "ERB", "Kernel", "Net::", "URI::", "Rack::"} {
		if bytes.Contains(b, []byte(name)) {
			return deserRuby
		}
	}
	if (b[2] == 'o' || b[2] == 'U' || b[2] == 'c') && (b[3] == ':' || b[2] == 'c' || b[3] == '@') {
		return deserSuspect
	}
	return -1
}

// judgePHP reads O:8:"stdClass":1:{ backwards from the brace.
func judgePHP(_ *inspection, text []byte, at int) int {
	i := at
	for i > 0 && at-i < 6 && classOf[text[i-1]]&digit != 0 {
		i--
	}
	if i == at || i < 2 || text[i-1] != ':' || text[i-2] != '"' && text[i-2] != '\\' && text[i-2] != '\'' {
		return -1
	}
	end := i - 2
	start := end
	for start > 0 && end-start < 96 && text[start-1] != '"' && text[start-1] != '\'' {
		start--
	}
	if start < 3 || end == start || text[start-2] != ':' && text[start-2] != '\\' {
		return -1
	}
	j := bytes.LastIndexByte(text[:start-1], ':')
	if j < 0 {
		return -1
	}
	for j > 0 && start-j < 16 && (classOf[text[j-1]]&digit != 0 || text[j-1] == '+') {
		j--
	}
	if j < 2 || text[j-1] != ':' || text[j-2]|0x20 != 'o' && text[j-2] != 'C' && text[j-2] != 'E' {
		return -1
	}
	if j > 2 && classOf[text[j-3]]&(letter|digit) != 0 {
		return -1
	}
	return deserPHP
}

// judgeYAML judges tags that make objects.
func judgeYAML(_ *inspection, text []byte, at int) int {
	rest := text[at:]
	if at > 0 && classOf[text[at-1]]&(blank|quote|bracket) == 0 && text[at-1] != ':' && text[at-1] != ',' && text[at-1] != '=' {
		return -1
	}
	for _, tag := range [...]string{"!!python/object", "!!python/name", "!!python/module", "!!javax.", "!!java.", "!!com.", "!!org.", "!!ch.", "!!js/function",
		"!ruby/object", "!ruby/hash:", "!ruby/struct", "!php/object"} {
		if !hasPrefix(rest, tag) {
			continue
		}
		name := rest[2:min(len(rest), 160)]
		end := 0
		for end < len(name) && (classOf[name[end]]&(letter|digit|dash|slash) != 0 || name[end] == '.' || name[end] == ':' || name[end] == '$') {
			end++
		}
		var w wordCount
		next := bytes.TrimLeft(name[end:], " ")
		used := len(next) > 0 && bytes.IndexByte([]byte("[{\"'|>!\n"), next[0]) >= 0
		if w.before(text, at) < beforeText && (used || bytes.IndexByte(name[:end], ':') > 0) {
			return deserYAML
		}
		return deserSuspect
	}
	return -1
}

// judgeXML judges the classes that XMLDecoder and XStream are given.
func judgeXML(_ *inspection, text []byte, at int) int {
	if bytes.LastIndexByte(text[max(0, at-96):at+1], '<') < 0 {
		return -1
	}
	return deserXML
}

// judgeTextPickle looks for a pickle of protocol 0 that calls: cos\nsystem\n(.
func judgeTextPickle(text []byte) (rule, at int) {
	for i := 0; ; {
		n := bytes.IndexByte(text[i:], '\n')
		if n < 0 {
			return -1, 0
		}
		i += n + 1
		module := text[max(0, i-24) : i-1]
		if j := bytes.LastIndexAny(module, "\n.(}])\x02\x03\x80"); j >= 0 {
			module = module[j+1:]
		}
		end := bytes.IndexByte(text[i:min(len(text), i+24)], '\n')
		if end <= 0 || i+end+1 >= len(text) {
			continue
		}
		next := text[i+end+1]
		if callsPickled(module, text[i:i+end]) && (next == '(' || next == 'p' || next == 'q' || next == 'X' || next == 'V') {
			return deserPython, max(0, i-1-len(module))
		}
	}
}

// callsPickled reports whether a global of a pickle runs code. The opcode that names
// it, c, stands before its module.
func callsPickled(module, name []byte) bool {
	switch string(module) {
	case "cos", "cposix", "cnt", "csubprocess", "c__builtin__", "cbuiltins", "ccommands", "cpty", "csys", "cimportlib", "cplatform", "ctimeit", "crunpy":
	default:
		return false
	}
	switch string(name) {
	case "system", "popen", "eval", "exec", "execfile", "compile", "getattr", "apply", "map", "Popen", "call", "check_output", "check_call", "run",
		"spawn", "getoutput", "import_module", "__import__", "globals", "open", "run_path", "timeit":
		return true
	}
	return false
}

// judgeClass judges a value that is the name of a class: as the type of an object
// of JSON's, or of a gadget by itself.
func judgeClass(in *inspection, text []byte) int {
	if len(text) > 240 {
		return -1
	}
	name := bytes.TrimSpace(text)
	if i := bytes.IndexByte(name, ','); i > 0 {
		name = name[:i] // of an assembly of .NET's
	}
	dots := 0
	for _, c := range name {
		if classOf[c]&(letter|digit|dash) == 0 && c != '.' && c != '$' && c != ';' && c != '[' {
			return -1
		}
		if c == '.' {
			dots++
		}
	}
	if dots < 2 {
		return -1
	}
	typed := isTypeName(in.fieldName()) && !in.atKey()
	gadget := isGadget(name[bytes.LastIndexByte(name, '.')+1:])
	switch {
	case typed && (gadget || startsWithAny(name, "java.", "javax.", "com.sun.", "sun.", "org.apache.commons.", "system.diagnostics.", "system.windows.")):
		return deserType
	case gadget:
		return deserClass
	}
	return -1
}

// isTypeName reports whether a member called name says of which class an object is.
func isTypeName(name []byte) bool {
	switch string(name) {
	case "@type", "$type", "@class", "__type", "_class", "@c", "javaClass":
		return true
	}
	return false
}

// isGadget reports whether a class is one that nobody names but in an attack.
func isGadget(class []byte) bool {
	switch string(class) {
	case "JdbcRowSetImpl", "TemplatesImpl", "ClassPathXmlApplicationContext", "FileSystemXmlApplicationContext", "ObjectDataProvider",
		"InvokerTransformer", "WrapperConnectionPoolDataSource", "JndiRefForwardingDataSource", "PropertyPathFactoryBean", "AssemblyInstaller",
		"JndiDataSourceFactory", "DriverManagerConnectionSource", "JNDIConnectionSource", "BadAttributeValueExpException", "ChainedTransformer":
		return true
	}
	return false
}
