//! Finds the shell sessions in a Markdown text.

/// One fenced block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// The line of its fence, from 1.
    pub(super) line: usize,
    /// Tools without which it is skipped.
    pub(super) needs: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// One command with what it prints.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// The line where it begins, from 1.
    pub(super) line: usize,
    /// Several lines when it was continued.
    pub(super) command: String,
    pub(super) expected: Vec<String>,
}

/// Every `console` block, or the line and the fault of one that is none.
pub(super) fn parse(markdown: &str) -> Result<Vec<Session>, String> {
    let mut sessions = Vec::new();
    let mut needs = Vec::new();
    let mut lines = markdown.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let inner = line.trim_start();
        let indent = line.len() - inner.len();
        if !inner.starts_with("```") {
            needs = tools(inner);
            continue;
        }
        let block: Vec<(&str, usize)> = lines
            .by_ref()
            .take_while(|(line, _)| line.trim() != "```")
            .map(|(line, number)| (strip_indent(line, indent), number))
            .collect();
        let needs = std::mem::take(&mut needs);
        if inner == "```console" {
            sessions.push(Session {
                line: number,
                needs,
                steps: steps(&block)?,
            });
        }
    }
    Ok(sessions)
}

fn steps(block: &[(&str, usize)]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for &(text, line) in block {
        if let Some(command) = text.strip_prefix("$ ") {
            steps.push(Step {
                line,
                command: command.to_owned(),
                expected: Vec::new(),
            });
            continue;
        }
        let Some(step) = steps.last_mut() else {
            return Err(format!(
                "{line}: a console block begins with a command after `$ `"
            ));
        };
        match text.strip_prefix('>') {
            // Only directly after its command; later it is output that looks like it.
            Some(more)
                if step.expected.is_empty() && (more.is_empty() || more.starts_with(' ')) =>
            {
                step.command.push('\n');
                step.command
                    .push_str(more.strip_prefix(' ').unwrap_or(more));
            }
            _ => step.expected.push(text.to_owned()),
        }
    }
    Ok(steps)
}

/// The tools in `<!-- needs: socat, nc -->`.
fn tools(line: &str) -> Vec<String> {
    let list = line
        .strip_prefix("<!-- needs:")
        .and_then(|rest| rest.trim_end().strip_suffix("-->"));
    let words = list.unwrap_or("").split([' ', ',']);
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A block inside a list is indented with its fence.
fn strip_indent(line: &str, indent: usize) -> &str {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    &line[indent.min(blanks)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_continuations_outputs_and_needs_are_told_apart() {
        let markdown = "\
text
<!-- needs: socat, nc -->
```console
$ for i in 1 2; do
>   echo $i
> done
1
2
$ true
```
```rust
$ no session
```
- a list:
  ```console
  $ echo '  two'
    two
  ```
";
        let sessions = parse(markdown).expect("two sessions");
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions[0].needs, ["socat", "nc"]);
        assert_eq!(sessions[0].line, 3);
        assert_eq!(
            sessions[0].steps[0].command,
            "for i in 1 2; do\n  echo $i\ndone"
        );
        assert_eq!(sessions[0].steps[0].expected, ["1", "2"]);
        assert_eq!(sessions[0].steps[1].line, 9);
        assert!(sessions[1].needs.is_empty());
        assert_eq!(sessions[1].steps[0].expected, ["  two"]);
    }

    #[test]
    fn output_without_a_command_is_a_fault_with_its_line() {
        let fault = parse("```console\noops\n```\n").expect_err("no command");
        assert!(fault.starts_with("2: "), "{fault}");
    }
}
