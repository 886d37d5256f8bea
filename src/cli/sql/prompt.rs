//! Reads statements from a terminal, with history, completion and colours.

use std::borrow::Cow;
use std::path::PathBuf;

use reedline::{
    ColumnarMenu, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Prompt,
    PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal,
    ValidationResult, Validator, default_emacs_keybindings,
};

use super::commands::Command;
use super::completion::{Names, Words};
use super::highlight::Sql;
use super::input::{is_complete, way_out};
use super::shell::{Next, Shell};
use crate::error::{Error, Result};

const MENU: &str = "words";
const HISTORY_LINES_MAX: usize = 5000;

/// Asks until the end is asked for.
pub async fn run(mut shell: Shell) -> Result<()> {
    eprintln!(
        "uptally {}, version {} of the data; .help lists the commands, .quit ends",
        env!("CARGO_PKG_VERSION"),
        shell.version()
    );
    let mut editor = editor(Names::of(shell.session()).await);
    loop {
        let typed = tokio::task::block_in_place(|| editor.read_line(&Asks));
        match typed {
            Ok(Signal::Success(text)) => {
                if do_all(&mut shell, &text).await == Next::End {
                    return Ok(());
                }
            }
            Ok(Signal::CtrlD) => return Ok(()),
            // What was typed so far is dropped.
            Ok(_) => {}
            Err(error) => {
                let what = "cannot read from the terminal".to_owned();
                return Err(Error::Resource { what, source: error.into() });
            }
        }
    }
}

/// Does what was typed; a statement that was only begun is dropped by who asks for the way out.
///
/// What goes wrong is told and ends nothing, and neither does Ctrl-C.
async fn do_all(shell: &mut Shell, text: &str) -> Next {
    let text = match way_out(text) {
        Some(Command::Quit) => return Next::End,
        Some(_) => {
            eprintln!("the statement had no `;` at its end and was dropped");
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
        .with_completer(Box::new(Words(names)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_highlighter(Box::new(Sql))
        .with_validator(Box::new(Whole))
        .with_ansi_colors(std::env::var_os("NO_COLOR").is_none())
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)));
    let history = history_file().map(|file| FileBackedHistory::with_file(HISTORY_LINES_MAX, file));
    match history {
        Some(Ok(history)) => editor = editor.with_history(Box::new(history)),
        Some(Err(error)) => eprintln!("note: what is typed is not remembered: {error}"),
        None => {}
    }
    editor
}

/// `uptally/sql_history` where the system keeps the state of programs.
fn history_file() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    state.map(|state| state.join("uptally/sql_history"))
}

/// Takes a text once it is whole.
struct Whole;

impl Validator for Whole {
    fn validate(&self, text: &str) -> ValidationResult {
        match is_complete(text) {
            true => ValidationResult::Complete,
            false => ValidationResult::Incomplete,
        }
    }
}

struct Asks;

impl Prompt for Asks {
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
