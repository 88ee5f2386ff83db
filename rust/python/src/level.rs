//! The instructions that all calls of this process use.

use std::env;
use std::sync::OnceLock;

use yoloxfast_core::{Error, Level};

/// Environment variable that names a [`Level`]; without it, or if it is empty, the best of this CPU is used.
const VARIABLE: &str = "YOLOXFAST_LEVEL";

static LEVEL: OnceLock<Level> = OnceLock::new();

/// Reads the environment; to be called before [`level`].
pub(crate) fn choose() -> Result<Level, Error> {
    let level = match env::var_os(VARIABLE) {
        Some(name) if !name.is_empty() => Level::named(&name.to_string_lossy())?,
        _ => Level::best(),
    };
    Ok(*LEVEL.get_or_init(|| level))
}

/// The level that was chosen.
pub(crate) fn level() -> Level {
    *LEVEL.get_or_init(Level::best)
}
