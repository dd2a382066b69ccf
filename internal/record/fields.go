package record

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// KindInfo describes a kind of record.
type KindInfo struct {
	Kind Kind
	Doc  string
	CIM  string // data model of Splunk's Common Information Model; "" for none
}

// Kinds lists the kinds of record.
func Kinds() []KindInfo {
	return []KindInfo{
		{Log, "one line that the function or an extension wrote", ""},
		{Platform, "one platform event, as Lambda sent it", ""},
		{Invocation, "the summary of one invocation, with the receipt of its inspection", "Web, where the source is HTTP"},
		{Attack, "a finding of the event firewall", "Intrusion Detection"},
		{Leak, "a secret on its way out", "Data Loss Prevention"},
		{Runtime, "something that happened inside the sandbox", "Intrusion Detection"},
		{Connection, "one egress connection, or what one that stays open did in one invocation", "Network Traffic"},
		{Health, "what is on, what is degraded and why, what was lost", ""},
	}
}

// Field describes one field of a record's JSON. The fields of Record and their
// tags are the only source of it.
type Field struct {
	Name string // "event_sha256"; within an object "receipt.bytes"
	Type string // "string", "number", "boolean", "time", "JSON", "object", "list of …"
	// Kinds are the kinds that have it, as Record's tag says; nil: all of them.
	Kinds []Kind
	Doc   string
}

// Of reports whether records of kind k have f.
func (f Field) Of(k Kind) bool {
	for _, have := range f.Kinds {
		if have == k {
			return true
		}
	}
	return f.Kinds == nil
}

// Fields lists the fields of a record in the order of its JSON, those of nested
// objects behind the object.
func Fields() []Field { return fieldsOf(reflect.TypeFor[Record](), "", nil) }

func fieldsOf(t reflect.Type, prefix string, kinds []Kind) []Field {
	var out []Field
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := Field{Name: prefix + name, Type: typeName(f.Type), Kinds: kinds, Doc: f.Tag.Get("doc")}
		if list := f.Tag.Get("kinds"); list != "" {
			field.Kinds = nil
			for _, k := range strings.Split(list, ",") {
				field.Kinds = append(field.Kinds, Kind(k))
			}
		}
		out = append(out, field)
		if inner := object(f.Type); inner != nil && inner.PkgPath() == t.PkgPath() {
			out = append(out, fieldsOf(inner, field.Name+".", field.Kinds)...)
		}
	}
	return out
}

// object returns the struct that t is, points to or lists; nil for none.
func object(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	return t
}

// typeName names t for people who see the JSON.
func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[json.RawMessage]():
		return "JSON"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return "number"
}
