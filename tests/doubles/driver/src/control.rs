//! How a test sets the driver up and reads what happened: by the environment, or by functions that no driver has.
//!
//! `PRETEND_CUDA` holds settings that are separated by blanks, for example `devices=2 fail=cuInit:100`:
//!
//! | setting | meaning |
//! | --- | --- |
//! | `devices=2` | GPUs, before `CUDA_VISIBLE_DEVICES`; 1 by default |
//! | `name=Another` | what they are called; `Pretend GPU` by default |
//! | `memory=1000000` | bytes that each has; 1 GiB by default |
//! | `version=13020` | the newest CUDA that the driver knows |
//! | `delay=50` | microseconds that each operation of a stream waits |
//! | `fail=cuMemAlloc:2:1` | the next call fails with code 2; `-1`: each call; `0`: none any more |
//! | `lost=719` | the GPU is lost: each call fails so; `0`: it is back |
//! | `report=/a/file` | where breaches and leaks are written when the process ends |

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::code::Code;
use crate::driver::{FORKED_CALLS, is_forked, lock, wait_until, without_version};

/// What a test wants the driver to be.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) devices: i32,
    pub(crate) name: String,
    pub(crate) memory: usize,
    pub(crate) version: i32,
    pub(crate) delay: Duration,
    /// The error of all calls since the GPU was lost.
    pub(crate) lost: Option<Code>,
    report: Option<String>,
    faults: BTreeMap<String, (Code, i64)>,
}

impl Settings {
    pub(crate) fn from_environment() -> Self {
        let mut settings = Self {
            devices: 1,
            name: "Pretend GPU".to_owned(),
            memory: 1 << 30,
            version: 13_020,
            delay: Duration::from_micros(50),
            lost: None,
            report: None,
            faults: BTreeMap::new(),
        };
        for setting in std::env::var("PRETEND_CUDA").unwrap_or_default().split_whitespace() {
            if settings.set(setting).is_none() {
                eprintln!("PRETEND_CUDA has a setting that is not one: {setting}");
                std::process::abort();
            }
        }
        settings
    }

    /// Change one; `None` for an unknown setting.
    fn set(&mut self, setting: &str) -> Option<()> {
        let (name, value) = setting.split_once('=')?;
        match name {
            "devices" => self.devices = value.parse().ok()?,
            "name" => value.clone_into(&mut self.name),
            "memory" => self.memory = value.parse().ok()?,
            "version" => self.version = value.parse().ok()?,
            "delay" => self.delay = Duration::from_micros(value.parse().ok()?),
            "lost" => self.lost = Some(Code(value.parse().ok()?)).filter(|code| code.0 != 0),
            "report" => self.report = Some(value.to_owned()),
            "fail" => {
                let mut parts = value.split(':');
                let function = parts.next()?.to_owned();
                let code = Code(parts.next()?.parse().ok()?);
                let times = parts.next().map_or(Some(-1), |times| times.parse().ok())?;
                self.faults.insert(function, (code, times));
            }
            _ => return None,
        }
        Some(())
    }

    /// Whether the function of that name is to fail this time.
    pub(crate) fn fault(&mut self, function: &str) -> Option<Code> {
        let (code, times) = self.faults.get_mut(without_version(function))?;
        if *times == 0 {
            return None;
        }
        *times -= i64::from(*times > 0);
        Some(*code)
    }
}

/// Write down that a forked process used CUDA; without the lock, which another thread may have held at the fork.
pub(crate) fn report_fork(function: &str) {
    FORKED_CALLS.fetch_add(1, Ordering::Relaxed);
    append(
        &Settings::from_environment(),
        &[format!("{}: CUDA is used in a forked process", without_version(function))],
    );
}

/// To be called when the process ends: what was done wrong, and what is still alive.
pub(crate) extern "C" fn write_report() {
    if is_forked() {
        return;
    }
    let mut driver = lock();
    driver.check_freed();
    let leaks = driver.live().into_iter().map(|what| format!("leaked: {what}"));
    let lines: Vec<_> = driver.report.lines().iter().cloned().chain(leaks).collect();
    append(&driver.settings, &lines);
}

fn append(settings: &Settings, lines: &[String]) {
    if let Some(path) = &settings.report
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path)
    {
        for line in lines {
            let _ = writeln!(file, "{line}");
        }
    }
}

/// Change a setting and return 1; 0 for an unknown one.
///
/// # Safety
///
/// `setting` is a C string.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pretend_set(setting: *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    let setting = unsafe { CStr::from_ptr(setting) };
    let is_set = setting.to_str().ok().and_then(|setting| lock().settings.set(setting)).is_some();
    i32::from(is_set)
}

/// Begin anew: settings as the environment has them, no breaches, no log, and nothing alive but primary contexts. What
/// lies on streams is done before.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn pretend_reset() {
    let mut driver = lock();
    driver.settings = Settings::from_environment();
    driver.forget_all();
    driver = wait_until(driver, |driver| driver.ending.is_empty());
    driver.report.clear();
    driver.log.clear();
    driver.launches = 0;
    driver.contexts.forget_counts();
}

/// Write lines of text into `buffer`, and return how many bytes they have; if they do not fit, nothing is written.
///
/// `which` is `breaches`, `live`, `log` (an operation a line: stream, what, and when it was put on the stream, began and
/// ended, in nanoseconds), `launches` of graphs, `retained`: how often a primary context was, or `forked`: calls in this
/// process after a fork. `live` and the others but `forked` are not to be asked for in a forked process.
///
/// # Safety
///
/// `which` is a C string, and `buffer` has `len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pretend_read(which: *const c_char, buffer: *mut u8, len: usize) -> usize {
    // SAFETY: the caller's promise.
    let which = unsafe { CStr::from_ptr(which) };
    let lines = match which.to_bytes() {
        b"breaches" => {
            let mut driver = lock();
            driver.check_freed();
            driver.report.lines().to_vec()
        }
        b"live" => lock().live(),
        b"log" => lock().log.iter().map(ToString::to_string).collect(),
        b"launches" => vec![lock().launches.to_string()],
        b"retained" => vec![lock().contexts.retains().to_string()],
        b"forked" => vec![FORKED_CALLS.load(Ordering::Relaxed).to_string()],
        _ => return usize::MAX,
    };
    let text = lines.join("\n");
    if text.len() <= len {
        // SAFETY: the buffer has as many bytes, by the caller's promise.
        unsafe { buffer.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
    }
    text.len()
}

/// Return where the host finds bytes of a GPU's memory, for what stands for its kernels; null, and a breach, if they are
/// not all allocated. They stay there until they are freed.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn pretend_bytes(address: u64, len: usize) -> *mut u8 {
    let mut driver = lock();
    driver.device_piece(address, len).map_or(std::ptr::null_mut(), |piece| piece.start())
}
