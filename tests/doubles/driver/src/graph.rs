//! CUDA graphs, recorded from one stream, and what may not be done meanwhile.

use std::thread::{self, ThreadId};

use crate::code::{Code, Outcome};
use crate::context;
use crate::driver::{Driver, Handle};
use crate::stream::Ticket;
use crate::work::Request;

const MODE_GLOBAL: u32 = 0;
const MODE_THREAD_LOCAL: u32 = 1;
const MODE_RELAXED: u32 = 2;

pub(crate) type Graph = Vec<Request>;

/// A graph that can be launched, and what is to be done before it is launched again.
pub(crate) struct Executable {
    requests: Graph,
    launched: Option<Ticket>,
}

/// What is recorded from a stream.
pub(crate) struct Recording {
    mode: u32,
    thread: ThreadId,
    is_valid: bool,
    pub(crate) requests: Graph,
}

impl Recording {
    /// Whether it forbids this thread what might make the stream wait.
    fn forbids(&self) -> bool {
        let is_own = self.thread == thread::current().id();
        self.mode == MODE_GLOBAL || (self.mode == MODE_THREAD_LOCAL && is_own)
    }
}

pub(crate) fn begin(driver: &mut Driver, stream: Handle, mode: u32) -> Outcome {
    if mode > MODE_RELAXED {
        return Err(Code::INVALID_VALUE);
    }
    let handle = driver.stream_of(stream)?;
    let stream = driver.streams.find(handle, &mut driver.report)?;
    if stream.is_legacy {
        return Err(Code::STREAM_CAPTURE_UNSUPPORTED);
    }
    if stream.recording.is_some() {
        driver.report.breach("a stream that is recorded already");
        return Err(Code::ILLEGAL_STATE);
    }
    let thread = thread::current().id();
    stream.recording = Some(Recording { mode, thread, is_valid: true, requests: Vec::new() });
    Ok(())
}

pub(crate) fn end(driver: &mut Driver, stream: Handle) -> Result<Handle, Code> {
    let handle = driver.stream_of(stream)?;
    let stream = driver.streams.find(handle, &mut driver.report)?;
    let Some(recording) = &stream.recording else {
        driver.report.breach("a stream that is not recorded");
        return Err(Code::ILLEGAL_STATE);
    };
    if recording.mode != MODE_RELAXED && recording.thread != thread::current().id() {
        driver.report.breach("a recording that another thread began");
        return Err(Code::STREAM_CAPTURE_WRONG_THREAD);
    }
    let recording = stream.recording.take().filter(|recording| recording.is_valid);
    let requests = recording.ok_or(Code::STREAM_CAPTURE_INVALIDATED)?.requests;
    let context = context::current(driver)?;
    let graph = driver.new_handle();
    driver.graphs.add(graph, context, requests);
    Ok(graph)
}

/// 0: not recorded; 1: recorded; 2: recorded, but something forbidden was done.
pub(crate) fn status(driver: &mut Driver, stream: Handle) -> Result<i32, Code> {
    let handle = driver.stream_of(stream)?;
    let stream = driver.streams.find(handle, &mut driver.report)?;
    Ok(stream.recording.as_ref().map_or(0, |recording| if recording.is_valid { 1 } else { 2 }))
}

pub(crate) fn instantiate(driver: &mut Driver, graph: Handle, flags: u64) -> Result<Handle, Code> {
    if flags != 0 {
        return Err(Code::NOT_SUPPORTED);
    }
    let requests = driver.graphs.find(graph, &mut driver.report)?.clone();
    let executable = driver.new_handle();
    driver.executables.add(executable, context::get_current(), Executable { requests, launched: None });
    Ok(executable)
}

pub(crate) fn launch(driver: &mut Driver, executable: Handle, stream: Handle) -> Outcome {
    let Executable { requests, launched } = driver.executables.find(executable, &mut driver.report)?;
    let (requests, mut launched) = (requests.clone(), *launched);
    let handle = driver.stream_of(stream)?;
    driver.forbid_on_recording(handle)?;
    let works: Vec<_> = requests.iter().map(|request| request.start(driver)).collect::<Result<_, _>>()?;
    for (request, work) in requests.iter().zip(works) {
        launched = Some(driver.put(handle, request.what(), work, launched.into_iter().collect())?);
    }
    driver.executables.find(executable, &mut driver.report)?.launched = launched;
    driver.launches += 1;
    Ok(())
}

pub(crate) fn destroy(driver: &mut Driver, graph: Handle) -> Outcome {
    driver.graphs.find(graph, &mut driver.report)?;
    driver.graphs.drop(graph);
    Ok(())
}

pub(crate) fn destroy_executable(driver: &mut Driver, executable: Handle) -> Outcome {
    driver.executables.find(executable, &mut driver.report)?;
    driver.executables.drop(executable);
    Ok(())
}

impl Driver {
    /// Refuse what might make a stream wait that is recorded; the recording is lost by it.
    pub(crate) fn forbid_while_recording(&mut self) -> Outcome {
        self.forbid("this is forbidden while a stream is recorded", Code::STREAM_CAPTURE_UNSUPPORTED, |_, recording| {
            recording.forbids()
        })
    }

    /// Refuse to wait for, or ask about, a stream that is recorded.
    pub(crate) fn forbid_on_recording(&mut self, stream: Handle) -> Outcome {
        self.forbid("the stream is recorded", Code::STREAM_CAPTURE_UNSUPPORTED, |handle, _| handle == stream)
    }

    /// Refuse to use a context's default stream, which would wait for those that are recorded, non-blocking ones aside.
    pub(crate) fn forbid_beside_recordings(&mut self, context: Handle) -> Outcome {
        let blocking = self.streams.in_context(context).filter(|(_, stream)| stream.is_blocking);
        let others: Vec<_> = blocking.map(|(handle, _)| handle).collect();
        let words = "the default stream would wait for one that is recorded";
        self.forbid(words, Code::STREAM_CAPTURE_IMPLICIT, |handle, _| others.contains(&handle))
    }

    fn forbid(&mut self, words: &str, code: Code, concerns: impl Fn(Handle, &Recording) -> bool) -> Outcome {
        let recordings =
            self.streams.all_mut().filter_map(|(handle, stream)| Some((handle, stream.recording.as_mut()?)));
        let mut is_forbidden = false;
        for (handle, recording) in recordings {
            if concerns(handle, recording) {
                recording.is_valid = false;
                is_forbidden = true;
            }
        }
        if is_forbidden {
            self.report.breach(words);
            return Err(code);
        }
        Ok(())
    }
}
