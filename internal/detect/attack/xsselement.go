package attack

import "bytes"

// isMarkup reports whether a tag is meant as one: text also puts words in angle
// brackets that something is to be put in place of, and addresses.
func isMarkup(name string, rest []byte) bool {
	if len(rest) > 0 && classOf[rest[0]]&(blank|slash|angle|control) == 0 {
		return false
	}
	switch name {
	case "address", "area", "base", "code", "dialog", "header", "footer", "image", "label", "link", "map", "menu", "object", "option", "param", "path", "section", "select", "set", "slot", "source",
		"sub", "summary", "table", "template", "title", "track", "use", "var", "a", "b", "i", "p", "q", "u":
		return bytes.IndexByte(untilMarkup(rest), '=') >= 0
	}
	return true
}

// isElement reports whether name is that of an element of HTML, SVG or MathML that is
// seen in attacks.
func isElement(name string) bool {
	switch name {
	case "a", "abbr", "address", "animate", "applet", "area", "article", "aside", "audio", "b", "base", "basefont", "bgsound", "big", "blink", "body", "br", "button",
		"canvas", "center", "code", "col", "details", "dialog", "div", "embed", "fieldset", "font", "footer", "foreignobject", "form", "frame", "frameset", "h1", "h2", "h3", "h4", "head", "header", "hr", "html",
		"i", "iframe", "ilayer", "image", "img", "input", "isindex", "keygen", "label", "layer", "legend", "li", "link", "listing", "map", "marquee", "math", "menu", "meta", "noembed", "noframes", "noscript",
		"object", "ol", "optgroup", "option", "p", "param", "path", "picture", "pre", "progress", "q", "script", "section", "select", "set", "slot", "small", "source", "span", "strike", "strong", "style", "sub", "summary", "sup", "svg",
		"table", "tbody", "td", "template", "textarea", "tfoot", "th", "thead", "title", "tr", "track", "u", "ul", "use", "var", "video", "wbr", "xmp", "xml":
		return true
	}
	return false
}
