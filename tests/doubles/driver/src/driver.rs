//! The state of the driver, behind one lock, and one signal for all who wait for a change of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::code::{Code, Outcome};
use crate::context::{self, Contexts};
use crate::control::{self, Settings};
use crate::event::Event;
use crate::graph::{Executable, Graph};
use crate::memory::{Block, Freed};
use crate::stream::{Span, Stream};

/// Stands for a context, a stream, an event or a graph; the address of nothing.
pub(crate) type Handle = usize;

/// The driver while nobody else changes it.
pub(crate) type Locked = MutexGuard<'static, Driver>;

static DRIVER: LazyLock<Mutex<Driver>> = LazyLock::new(|| Mutex::new(Driver::new()));
static CHANGED: Condvar = Condvar::new();

/// The process that initialized the driver; 0 if none did. Beside the lock, which a forked process may find locked.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// How many calls came from forked processes; each process counts its own.
pub(crate) static FORKED_CALLS: AtomicU64 = AtomicU64::new(0);

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    /// The function that this thread has called, for the report.
    static CALLED: Cell<&'static str> = const { Cell::new("a stream") };
    /// Whether this thread runs a host function, which may not use CUDA.
    static IN_HOST_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// What a function asks for before it does anything.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Needs {
    /// Nothing at all.
    Nothing,
    /// That `cuInit` was called.
    Init,
    /// A current context.
    Context,
}

pub(crate) struct Driver {
    pub(crate) settings: Settings,
    pub(crate) report: Report,
    pub(crate) log: Vec<Span>,
    pub(crate) contexts: Contexts,
    pub(crate) device_memory: Table<Block>,
    pub(crate) host_memory: Table<Block>,
    pub(crate) freed: Freed,
    pub(crate) streams: Table<Stream>,
    /// Destroyed, and not yet at the end of their work.
    pub(crate) ending: BTreeMap<Handle, Stream>,
    pub(crate) events: Table<Event>,
    pub(crate) graphs: Table<Graph>,
    pub(crate) executables: Table<Executable>,
    pub(crate) launches: u64,
    last_handle: Handle,
    /// Where the next device memory may begin: no address is given out twice.
    pub(crate) next_address: usize,
}

impl Driver {
    fn new() -> Self {
        Self {
            settings: Settings::from_environment(),
            report: Report::default(),
            log: Vec::new(),
            contexts: Contexts::default(),
            device_memory: Table::new("device memory", Code::INVALID_VALUE),
            host_memory: Table::new("page-locked memory", Code::INVALID_VALUE),
            freed: Freed::default(),
            streams: Table::new("a stream", Code::INVALID_HANDLE),
            ending: BTreeMap::new(),
            events: Table::new("an event", Code::INVALID_HANDLE),
            graphs: Table::new("a graph", Code::INVALID_VALUE),
            executables: Table::new("an executable graph", Code::INVALID_VALUE),
            launches: 0,
            last_handle: 0x1000,
            next_address: 0,
        }
    }

    /// A handle that nothing had before; never 1 or 2, which stand for default streams.
    pub(crate) fn new_handle(&mut self) -> Handle {
        self.last_handle += 0x10;
        self.last_handle
    }

    /// What is alive, in words; contexts aside, which live as long as the process.
    pub(crate) fn live(&self) -> Vec<String> {
        let blocks = [&self.device_memory, &self.host_memory];
        let memory = blocks
            .into_iter()
            .flat_map(|table| table.values().map(|block| format!("{} bytes of {}", block.len(), table.what)));
        let streams = self.streams.values().filter(|stream| !stream.is_legacy).map(|_| self.streams.what);
        let others = streams
            .chain(self.events.values().map(|_| self.events.what))
            .chain(self.graphs.values().map(|_| self.graphs.what))
            .chain(self.executables.values().map(|_| self.executables.what));
        memory.chain(others.map(str::to_owned)).collect()
    }

    /// Let go of all that is alive, contexts aside; streams end when their work is done.
    pub(crate) fn forget_all(&mut self) {
        self.end_streams();
        self.device_memory.live.clear();
        self.host_memory.live.clear();
        self.freed = Freed::default();
        self.events.live.clear();
        self.graphs.live.clear();
        self.executables.live.clear();
    }

    /// Refuse a call that may not be made now. Otherwise return the error that it is to end with, although it is done.
    fn admit(&mut self, function: &'static str, needs: Needs) -> Result<Option<Code>, Code> {
        if needs != Needs::Nothing {
            if IN_HOST_FUNCTION.get() {
                self.report.breach("CUDA is used in a host function");
                return Err(Code::NOT_PERMITTED);
            }
            if let Some(code) = self.settings.lost {
                return Err(code);
            }
        }
        let fault = self.settings.fault(function);
        if let Some(code) = fault.filter(|_| !is_done_all_the_same(function)) {
            return Err(code);
        }
        if needs != Needs::Nothing && PROCESS.load(Ordering::Relaxed) == 0 {
            self.report.breach("cuInit was not called");
            return Err(Code::NOT_INITIALIZED);
        }
        if needs == Needs::Context {
            context::current(self)?;
        }
        Ok(fault)
    }
}

/// Whether a function does its work and then returns the error of earlier work, as those that free or wait do.
fn is_done_all_the_same(function: &str) -> bool {
    ["Free", "Destroy", "Synchronize"].iter().any(|word| function.contains(word))
}

/// Do what a C function does, if it may be called now.
pub(crate) fn call(function: &'static str, needs: Needs, body: impl FnOnce(Locked) -> Outcome) -> i32 {
    if is_forked() {
        control::report_fork(function);
        return Code::NOT_INITIALIZED.0;
    }
    CALLED.set(function);
    let mut driver = lock();
    let outcome = driver.admit(function, needs).and_then(|fault| {
        body(driver)?;
        fault.map_or(Ok(()), Err)
    });
    outcome.map_or_else(|code| code.0, |()| 0)
}

/// Let the calls of this process through.
pub(crate) fn initialize() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
}

/// Whether this process was forked from the one that initialized the driver.
pub(crate) fn is_forked() -> bool {
    ![0, std::process::id()].contains(&PROCESS.load(Ordering::Relaxed))
}

pub(crate) fn lock() -> Locked {
    DRIVER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wait until `is_so`, letting others change the driver meanwhile.
pub(crate) fn wait_until(driver: Locked, is_so: impl Fn(&Driver) -> bool) -> Locked {
    CHANGED.wait_while(driver, |driver| !is_so(driver)).unwrap_or_else(PoisonError::into_inner)
}

/// Wake all who wait.
pub(crate) fn changed() {
    CHANGED.notify_all();
}

/// Run a host function, in which CUDA may not be used.
pub(crate) fn in_host_function(function: impl FnOnce()) {
    IN_HOST_FUNCTION.set(true);
    function();
    IN_HOST_FUNCTION.set(false);
}

/// Nanoseconds since the first call of this function.
pub(crate) fn now() -> u64 {
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The name by which a function is known: `cuMemFree` of `cuMemFree_v2`.
pub(crate) fn without_version(function: &str) -> &str {
    function.rsplit_once("_v").map_or(function, |(name, _)| name)
}

/// What was done wrong, a line each.
#[derive(Default)]
pub(crate) struct Report(Vec<String>);

impl Report {
    pub(crate) fn breach(&mut self, text: impl AsRef<str>) {
        self.0.push(format!("{}: {}", without_version(CALLED.get()), text.as_ref()));
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Things of one kind, each made in a context, by their handles or addresses.
pub(crate) struct Table<T> {
    what: &'static str,
    unknown: Code,
    live: BTreeMap<Handle, (Handle, T)>,
}

impl<T> Table<T> {
    const fn new(what: &'static str, unknown: Code) -> Self {
        Self { what, unknown, live: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, handle: Handle, context: Handle, thing: T) {
        self.live.insert(handle, (context, thing));
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.live.values().map(|(_, thing)| thing)
    }

    pub(crate) fn in_context(&self, context: Handle) -> impl Iterator<Item = (Handle, &T)> {
        self.live.iter().filter(move |(_, (owner, _))| *owner == context).map(|(handle, (_, thing))| (*handle, thing))
    }

    pub(crate) fn peek(&self, handle: Handle) -> Option<&T> {
        self.live.get(&handle).map(|(_, thing)| thing)
    }

    pub(crate) fn peek_mut(&mut self, handle: Handle) -> Option<&mut T> {
        self.live.get_mut(&handle).map(|(_, thing)| thing)
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = (Handle, &mut T)> {
        self.live.iter_mut().map(|(handle, (_, thing))| (*handle, thing))
    }

    /// The last one at or below an address.
    pub(crate) fn below(&self, address: Handle) -> Option<(Handle, &T)> {
        self.live.range(..=address).next_back().map(|(start, (_, thing))| (*start, thing))
    }

    /// The one of that handle, of whichever context.
    pub(crate) fn find(&mut self, handle: Handle, report: &mut Report) -> Result<&mut T, Code> {
        match self.live.get_mut(&handle) {
            Some((_, thing)) => Ok(thing),
            None => Err(unknown(self.what, self.unknown, report)),
        }
    }

    /// Remove what is freed or destroyed; it is a breach if it was made in another context.
    pub(crate) fn take(&mut self, handle: Handle, context: Handle, report: &mut Report) -> Result<T, Code> {
        let (owner, thing) = self.live.remove(&handle).ok_or_else(|| unknown(self.what, self.unknown, report))?;
        if owner != context {
            report.breach(format!("{} of another context", self.what));
        }
        Ok(thing)
    }

    /// Take it out, if it is still there.
    pub(crate) fn drop(&mut self, handle: Handle) -> Option<T> {
        self.live.remove(&handle).map(|(_, thing)| thing)
    }
}

fn unknown(what: &str, code: Code, report: &mut Report) -> Code {
    report.breach(format!("{what} that was freed before, or never made"));
    code
}
