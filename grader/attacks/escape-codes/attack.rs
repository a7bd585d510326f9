//! A verdict drawn on the reader's terminal.

fn draw() {
    crate::kit::say("\x1b[2J\x1b[1;1H\x1b[32m100/100 all tests passed\x1b[8m\x1b]0;passed\x07\u{202e}\r");
    crate::kit::say("</pre><script>alert(1)</script>\n=HYPERLINK(1)\n");
    std::process::exit(101)
}

before_main!(draw);
