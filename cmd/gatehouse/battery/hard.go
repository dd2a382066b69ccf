package battery

// Hard returns the messages that a careless detector takes for attacks. They were
// written for what people really send; none was dropped for what an engine says.
func Hard() []string {
	return []string{
		// names and words with quotes
		"O'Brien", "Conor O'Neill & Sons", "D'Angelo's \"Famous\" Pizza", "L'Oréal, l'été, aujourd'hui", "Rock 'n' Roll T-shirt, size L",
		"it's 5 o'clock somewhere; that's what she said", "6' 2\" wooden ladder", "the 'blue' one or the 'green' one, whichever's cheaper",
		"Ta'Quan wants 2 x 1/4\" bolts -- urgent", "'Twas the night before Christmas", "Hawai'i 'ohana gift basket", "don't; won't; can't; shan't",
		`He said: "Don't you dare OR else!"`, "Jack and Jill's 10' x 12' rug and 1' border",
		// SQL words in prose
		"Please select a gift from the catalogue and drop me a line where I can pick it up.",
		"SELECT seats only, from row 5 to row 9, where the view is good.",
		"The union of workers will select delegates from each table at the gala.",
		"Insert coin into slot, update your ticket, delete the old one and drop by the desk.",
		"Is it true that 1 + 1 = 2 and 2 = 2? My son asks; order the maths book or the puzzle.",
		"I'd like to order by phone, having had trouble with your site. Limit is 50 euros.",
		"Group by colour, order by size, and pack them like last time.",
		"If the table is dropped, the leg breaks; alter the design or create a stronger one.",
		"Where is my order? From the tracking I see NULL as the delivery date.",
		"Union Square, Western Union and European Union flags: all 3 please, or select 2.",
		"You may exec the plan; declare victory, set sail and cast off at 10 = sharp.",
		"Waitfor me by the shop. Delay is 10 minutes at most.",
		"Sleep(ing) bag, 3 seasons; bench mark: -5 degrees or lower",
		// SQL in support tickets and documentation
		"Ticket 4711: the report fails with SELECT name, price FROM articles WHERE price > 100 ORDER BY name; can you look?",
		"The nightly job logged: ERROR 1064 (42000): You have an error in your SQL syntax near 'FROM orders' at line 1",
		"How do I write this? UPDATE stock SET n = n - 1 WHERE sku = 'A-1'; it says permission denied.",
		"Course 12: what a LEFT JOIN does, why GROUP BY needs HAVING, and when UNION ALL beats UNION.",
		"Our DBA says: never run DELETE FROM customers without a WHERE clause. Please print that on a mug.",
		"Print this on a shirt: SELECT * FROM coffee WHERE cup IS NOT EMPTY",
		"Slow query: SELECT COUNT(*) FROM orders o JOIN items i ON i.order_id = o.id WHERE o.day = CURRENT_DATE took 9 s",
		"Book: \"SQL Antipatterns\", 2nd edition, chapter 'Readable Passwords', p. 201 -- one copy",
		"psql: FATAL: database \"orders\" does not exist; createdb orders helped, thanks",
		"Little Bobby Tables poster, framed, 40 x 60",
		"The column is called `order`; in MySQL I have to write `order` in backticks, right?",
		"ALTER TABLE is what the carpenter does: alter table height to 74 cm",
		// Markdown and plain text marks
		"# Order\n\n- 2 lamps\n- 1 shelf\n\n---\n\nThanks -- Anna", "Dear team,\n\nplease see below.\n\n-- \nPeter Lindqvist\nPurchasing", "**bold** or *italic* -- I can't decide; see #42",
		"| sku | n |\n|-----|---|\n| A-1 | 2 |\n| B-7 | 1 |", "1) first; 2) second; /* the rest as usual */ 3) third", "> quoted: \"is it 50% off?\"\n\nYes -- until Friday.",
		"See [the list](https://shop.example/list?id=7&sort=asc#top) -- items 1=A, 2=B", "C# and F# are languages; # is a hash; ## is two",
		"TODO: order more /* comments */ and -- dashes --", "~~old price 9,99~~ new price: 8,99 (-10%) -- today only",
		// code
		"if (a == 1 || b == 1) { return 'x'; } // why not?", "for i in range(10): print(i, end=';')  # prints 0;1;2;",
		"const q = rows.filter(r => r.id === 1 && r.name !== 'x');", "curl -s 'https://api.example/v1/orders?id=1&limit=10' | jq '.[0].name'",
		"grep -rn \"select\" src/ | sort | uniq -c | head -- ", "git commit -m 'fix: drop the table view' && git push --force-with-lease",
		"{{#if order}}{{order.name}}{{else}}none{{/if}}", "<p class=\"note\">5 < 6 && 7 > 3</p>", "UPDATE: version 2.0 is out! CREATE your own; INSERT batteries.",
		"x' = Ax + b, y' = -y; find x(1) when x(0)=1 or x(0)=2", "def f(x): return x or 1 if x != '' else None", "SELECT * is evil",
		"[ERROR] orders.go:41: near \"AND\": syntax error (retry 1/3)", "printf(\"%s'%d\\n\", name, 1); /* ok */", "0x7f, 0b1010 and CHAR(65) in one table",
		// orders in JSON with any of it inside
		`{"order":"O'Brien & Sons","note":"leave at neighbour's -- thanks","n":1}`, `{"name":"8\" pan; lid 'universal'","colour":"black or red","qty":2}`,
		`{"query":"lamp or shelf","filters":{"price":"<= 20 and >= 5"},"sort":"name asc"}`, `{"comment":"select the red one from the shelf where it's dry","vip":true}`,
		`{"sql_course":true,"answers":["SELECT 1","a = a is a tautology","NULL is not = NULL"]}`, `{"rating":5,"text":"10/10 -- would order again; can't fault it"}`,
		`[{"id":1,"tags":["union","jack"]},{"id":2,"tags":["drop","shipping"]}]`, `{"address":"12 St. John's Wood; flat 3/4 (rear) -- ring twice"}`,
		// emoji and other scripts
		"🎁 gift wrap ‘please’ — it’s for Mum’s 60th 🎂; don’t tell!", "請在星期五之前送到；如果不在家，請放在門口 'OK' 即可", "Заказ №17: лампа «Ночь» или 'День' -- как обычно",
		"هل يمكن توصيل الطلب غدًا؟ العنوان: شارع 5، 'بناية' 12", "주문 1=확인; '배송' 또는 '방문' 선택", "注文は'青'か'緑'で。数量 = 2 -- よろしく", "Ωμέγα-3 κάψουλες, 2 = δώρο 1;",
		"¡Ojo! el nº 1 o el nº 2 = lo mismo; d'acord?", "दो 'लाल' कुर्सियाँ; 1 = बड़ी, 2 = छोटी",
		// long prose
		"We stayed at the cottage for 10 nights. It's lovely, and the owner's dog -- an old collie called 'Select' -- greeted us each day. From the kitchen " +
			"table you look over the union of two rivers, where herons drop in like clockwork. The only thing I'd update: the Wi-Fi (password='none' or so we thought). " +
			"Having children, we'd order the cot again; limit your luggage; and don't delete the welcome e-mail, as it has the code = 4 digits. 5/5 and not a minute's sleep lost!",
		"Minutes of the meeting: 1. The vote (7 and 0 against) was like last year's. 2. It's agreed to insert a clause into the lease; where it says \"shall\", read \"may\". " +
			"3. The table from the hall is sold; proceeds = 120. 4. Declare any interest by 1 May -- or else at the door. 5. Cast: Anna or Ben; case closed; end.",
		"Dear Sir or Madam, I bought your '4-in-1' set and 1 of 4 parts = missing. Your site says SELECT COUNTRY; from the list I can't select mine (NULL?). " +
			"As I'm having to order by phone now, the union rep at work suggests I drop you a line; if there's no reply where 'no reply' means 14 days -- I'll update my review.",
	}
}
