//! Interactive prompt with history, completion and highlighting.

use std::borrow::Cow;
use std::path::PathBuf;

use reedline::{
    ColumnarMenu, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Prompt,
    PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal,
    ValidationResult, Validator, default_emacs_keybindings,
};

use super::commands::Command;
use super::completion::{Names, SqlCompleter};
use super::highlight::SqlHighlighter;
use super::shell::{Next, Shell};
use super::statement_reader::{exit_command, is_complete};
use crate::error::{Error, Result};

const MENU: &str = "words";
const HISTORY_LINES_MAX: usize = 5000;

/// Reads and runs statements until the user quits.
pub async fn run(mut shell: Shell) -> Result<()> {
    eprintln!(
        "uptally {}, version {} of the data; .help lists the commands, .quit exits",
        env!("CARGO_PKG_VERSION"),
        shell.version()
    );
    let mut editor = editor(Names::from_session(shell.session()).await);
    loop {
        let typed = tokio::task::block_in_place(|| editor.read_line(&SqlPrompt));
        match typed {
            Ok(Signal::Success(text)) => {
                if run_input(&mut shell, &text).await == Next::End {
                    return Ok(());
                }
            }
            Ok(Signal::CtrlD) => return Ok(()),
            // Ctrl-C discards the current input.
            Ok(_) => {}
            Err(error) => {
                let what = "cannot read from the terminal".to_owned();
                return Err(Error::Resource { what, source: error.into() });
            }
        }
    }
}

/// Runs the input. Errors are printed, and Ctrl-C cancels the query; neither ends the session.
/// `exit` or `help` after an unfinished statement discards it.
async fn run_input(shell: &mut Shell, text: &str) -> Next {
    let text = match exit_command(text) {
        Some(Command::Quit) => return Next::End,
        Some(_) => {
            eprintln!("the statement had no `;` at its end and was discarded");
            ".help"
        }
        None => text,
    };
    let done = tokio::select! {
        done = shell.run_text(text, None) => done,
        _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
    };
    match done {
        Ok(next) => next,
        Err(Error::Interrupted) => {
            eprintln!("stopped");
            Next::More
        }
        Err(error) => {
            eprintln!("{}", error.sentence());
            Next::More
        }
    }
}

fn editor(names: Names) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let complete = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    let menu = ColumnarMenu::default().with_name(MENU);
    let mut editor = Reedline::create()
        .with_completer(Box::new(SqlCompleter(names)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_highlighter(Box::new(SqlHighlighter))
        .with_validator(Box::new(StatementValidator))
        .with_ansi_colors(std::env::var_os("NO_COLOR").is_none())
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)));
    let history = history_file().map(|file| FileBackedHistory::with_file(HISTORY_LINES_MAX, file));
    match history {
        Some(Ok(history)) => editor = editor.with_history(Box::new(history)),
        Some(Err(error)) => eprintln!("note: the history is not saved: {error}"),
        None => {}
    }
    editor
}

/// `uptally/sql_history` in the XDG state folder.
fn history_file() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    state.map(|state| state.join("uptally/sql_history"))
}

/// Accepts input once it is complete.
struct StatementValidator;

impl Validator for StatementValidator {
    fn validate(&self, text: &str) -> ValidationResult {
        match is_complete(text) {
            true => ValidationResult::Complete,
            false => ValidationResult::Incomplete,
        }
    }
}

struct SqlPrompt;

impl Prompt for SqlPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "uptally".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "    ...> ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        format!("history ({})> ", search.term).into()
    }
}
