package attack

// isEvent reports whether name is that of an event's handler in some browser.
func isEvent(name string) bool {
	switch name {
	case "onabort", "onactivate", "onafterprint", "onafterscriptexecute", "onafterupdate", "onanimationcancel", "onanimationend", "onanimationiteration", "onanimationstart",
		"onappinstalled", "onauxclick", "onbeforeactivate", "onbeforecopy", "onbeforecut", "onbeforedeactivate", "onbeforeeditfocus", "onbeforeinput", "onbeforematch", "onbeforepaste", "onbeforeprint",
		"onbeforescriptexecute", "onbeforetoggle", "onbeforeunload", "onbeforeupdate", "onbegin", "onblur", "onbounce", "oncancel", "oncanplay", "oncanplaythrough",
		"oncellchange", "onchange", "onclick", "onclose", "oncontextmenu", "oncontrolselect", "oncopy", "oncuechange", "oncut",
		"ondataavailable", "ondatasetchanged", "ondatasetcomplete", "ondblclick", "ondeactivate", "ondevicemotion", "ondeviceorientation", "ondrag", "ondragend", "ondragenter", "ondragleave", "ondragover", "ondragstart", "ondrop", "ondurationchange",
		"onemptied", "onend", "onended", "onerror", "onerrorupdate", "onfilterchange", "onfinish", "onfocus", "onfocusin", "onfocusout", "onformchange", "onformdata", "onforminput", "onfullscreenchange", "ongotpointercapture",
		"onhashchange", "onhelp", "oninput", "oninvalid", "onkeydown", "onkeypress", "onkeyup", "onlayoutcomplete",
		"onload", "onloadeddata", "onloadedmetadata", "onloadend", "onloadstart", "onlosecapture", "onlostpointercapture", "onmediacomplete", "onmediaerror", "onmessage", "onmousedown", "onmouseenter", "onmouseleave",
		"onmousemove", "onmouseout", "onmouseover", "onmouseup", "onmousewheel", "onmove", "onmoveend", "onmovestart", "onmozfullscreenchange", "onoffline", "ononline", "onorientationchange", "onoutofsync", "onpagehide",
		"onpageshow", "onpaste", "onpause", "onplay", "onplaying", "onpointercancel", "onpointerdown", "onpointerenter", "onpointerleave", "onpointermove", "onpointerout", "onpointerover", "onpointerrawupdate", "onpointerup", "onpopstate",
		"onprogress", "onpropertychange", "onratechange", "onreadystatechange", "onrepeat", "onreset", "onresize", "onresizeend", "onresizestart", "onresume", "onreverse", "onrowdelete", "onrowenter", "onrowexit",
		"onrowinserted", "onrowsenter", "onscroll", "onscrollend", "onsearch", "onseek", "onseeked", "onseeking", "onselect", "onselectionchange", "onselectstart", "onshow", "onstalled", "onstart", "onstop", "onstorage", "onsubmit", "onsuspend", "onsyncrestored",
		"ontimeerror", "ontimeupdate", "ontoggle", "ontouchcancel", "ontouchend", "ontouchmove", "ontouchstart", "ontrackchange", "ontransitioncancel", "ontransitionend", "ontransitionrun", "ontransitionstart", "onunhandledrejection",
		"onunload", "onurlflip", "onvolumechange", "onwaiting", "onwebkitanimationend", "onwebkitanimationiteration", "onwebkitanimationstart", "onwebkittransitionend", "onwheel", "onzoom":
		return true
	}
	return false
}
