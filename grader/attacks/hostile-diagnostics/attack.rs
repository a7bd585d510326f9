//! Escape codes, direction marks and HTML in the compiler's words.

compile_error!(
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31m\u{202e}\u{2066} \r=cmd|' /C calc'!A0 <script>alert(1)</script> ![x](http://192.0.2.1/@MARK@) \u{9b}31m"
);
