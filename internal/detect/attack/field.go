package attack

// field is what kind of thing the name of a value says that it holds.
type field uint8

const (
	fieldPlain field = iota
	fieldID          // an identifier, a number or a column: no place for code
	fieldProse       // what people write
)

// bias is what a field adds to the score of what is found in it.
func (f field) bias() int {
	switch f {
	case fieldID:
		return 3
	case fieldProse:
		return -3
	}
	return 0
}

// field classifies the value at hand by its name.
func (in *inspection) field() field {
	var w wordBuf
	switch string(w.fold(in.fieldName())) {
	case "id", "ids", "uid", "pid", "userid", "user_id", "customerid", "customer_id", "orderid", "order_id", "productid", "product_id",
		"page", "sort", "sortby", "sort_by", "orderby", "order_by", "limit", "offset", "count", "size", "num", "number", "year", "month",
		"day", "date", "lang", "locale", "currency", "quantity", "qty", "price":
		return fieldID
	case "comment", "comments", "description", "note", "notes", "text", "subject", "content", "bio", "about", "review", "feedback",
		"commit_message":
		return fieldProse
	}
	return fieldPlain
}

// fieldName is the name under which the value at hand stands, as written: of a
// member, of a form's field, or of the array that it is an element of. Nil for a
// key.
func (in *inspection) fieldName() []byte {
	if in.raw.key && in.top == 0 {
		return nil
	}
	for i := in.top; i >= 0; i-- {
		l := &in.layers[i]
		if !l.json {
			if l.name != nil {
				return l.name
			}
			continue
		}
		for k := len(l.scanner.frames) - 1; k >= 0; k-- {
			if f := &l.scanner.frames[k]; !f.array && f.keyEnd > 0 {
				return f.key(l.scanner.text)
			}
		}
	}
	return nil
}
