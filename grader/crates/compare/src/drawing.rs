//! The path of a byte, drawn: the two processes above the line between user space and kernel, and
//! where the bytes lie meanwhile on one side of it or the other. A part of a page, which sets the
//! colours; drawn to be read on a telephone, too.

use datapath::Mechanism;
use datapath::mechanism::{Between, Path};

/// The drawing of one mechanism, as an `svg` element.
#[must_use]
pub fn svg(mechanism: Mechanism) -> String {
    let path = mechanism.path();
    let middle = match path.between {
        Between::Kernel(object) => through_the_kernel(&path, object),
        Between::Memory(object) => through_memory(&path, object, mechanism),
    };
    format!(
        "<svg class=\"path\" viewBox=\"0 0 420 232\" role=\"img\" aria-label=\"The path of a byte: \
         {title}\"><line class=\"border\" x1=\"0\" x2=\"420\" y1=\"122\" y2=\"122\"/><text \
         class=\"quiet\" x=\"4\" y=\"116\">user space</text><text class=\"quiet\" x=\"4\" \
         y=\"138\">kernel</text>{}{}{middle}</svg>",
        process(8, "sender"),
        process(296, "receiver"),
        title = mechanism.title(),
    )
}

/// A process with its buffer.
fn process(x: u32, name: &str) -> String {
    format!(
        "<rect class=\"process\" x=\"{x}\" y=\"6\" width=\"116\" height=\"84\" rx=\"6\"/><text \
         class=\"strong\" text-anchor=\"middle\" x=\"{}\" y=\"26\">{name}</text><rect \
         class=\"bytes\" x=\"{}\" y=\"44\" width=\"84\" height=\"30\"/><text \
         text-anchor=\"middle\" x=\"{0}\" y=\"64\">its buffer</text>",
        x + 58,
        x + 16
    )
}

/// An arrow from one point to another, with its head.
fn arrow(class: &str, from: (i32, i32), to: (i32, i32)) -> String {
    let ((x1, y1), (x2, y2)) = (from, to);
    let (dx, dy) = (f64::from(x2 - x1), f64::from(y2 - y1));
    let length = dx.hypot(dy).max(1.0);
    let (ux, uy) = (dx / length, dy / length);
    let (x2, y2) = (f64::from(x2), f64::from(y2));
    let wing = |side: f64| {
        format!(
            "{:.1},{:.1}",
            x2 - 9.0 * ux - side * 4.5 * uy,
            y2 - 9.0 * uy + side * 4.5 * ux
        )
    };
    format!(
        "<g class=\"{class}\"><line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/><polygon \
         points=\"{x2},{y2} {} {}\"/></g>",
        wing(1.0),
        wing(-1.0)
    )
}

fn through_the_kernel(path: &Path, object: &str) -> String {
    format!(
        "<rect class=\"object\" x=\"140\" y=\"148\" width=\"140\" height=\"44\" rx=\"6\"/><rect \
         class=\"bytes\" x=\"152\" y=\"156\" width=\"116\" height=\"28\"/><text \
         text-anchor=\"middle\" x=\"210\" y=\"174\">the bytes</text><text text-anchor=\"middle\" \
         x=\"210\" y=\"222\">{object}</text>{}{}<text x=\"4\" y=\"170\">{}</text><text \
         class=\"accent\" x=\"4\" y=\"188\">copy 1</text><text text-anchor=\"end\" x=\"416\" \
         y=\"170\">{}</text><text class=\"accent\" text-anchor=\"end\" x=\"416\" y=\"188\">copy \
         2</text><text class=\"quiet\" x=\"4\" y=\"205\">sleeps while full</text><text \
         class=\"quiet\" text-anchor=\"end\" x=\"416\" y=\"205\">sleeps while empty</text>",
        arrow("copy", (80, 76), (150, 152)),
        arrow("copy", (270, 152), (340, 76)),
        path.send,
        path.receive,
    )
}

fn through_memory(path: &Path, object: &str, mechanism: Mechanism) -> String {
    let kernel = if mechanism == Mechanism::ShmSemaphores {
        format!(
            "<rect class=\"object\" x=\"140\" y=\"148\" width=\"140\" height=\"44\" rx=\"6\"/><text \
             text-anchor=\"middle\" x=\"210\" y=\"175\">futex: who sleeps</text>{}{}<text \
             class=\"quiet\" text-anchor=\"middle\" x=\"210\" y=\"222\">called only to sleep and \
             to wake</text>",
            arrow("call", (58, 90), (146, 154)),
            arrow("call", (362, 90), (274, 154)),
        )
    } else {
        "<text class=\"quiet\" text-anchor=\"middle\" x=\"210\" y=\"175\">nothing to do: nobody sleeps</text>"
            .to_owned()
    };
    format!(
        "<rect class=\"object\" x=\"150\" y=\"30\" width=\"120\" height=\"56\" rx=\"6\"/><rect \
         class=\"bytes\" x=\"164\" y=\"44\" width=\"92\" height=\"30\"/><text \
         text-anchor=\"middle\" x=\"210\" y=\"64\">the bytes</text><text text-anchor=\"middle\" \
         x=\"210\" y=\"20\">{object}</text>{}{}<text class=\"accent\" text-anchor=\"middle\" \
         x=\"210\" y=\"106\">copied in and out by the processes</text><text x=\"4\" \
         y=\"175\">{}</text><text text-anchor=\"end\" x=\"416\" y=\"175\">{}</text>{kernel}",
        arrow("copy", (108, 59), (162, 59)),
        arrow("copy", (258, 59), (310, 59)),
        first_word(path.send),
        first_word(path.receive),
    )
}

/// What moves the bytes; the rest of it is in the text below the drawing.
fn first_word(calls: &str) -> &str {
    calls
        .split(", ")
        .find(|call| *call == "memcpy")
        .unwrap_or(calls)
}
