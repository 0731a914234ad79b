//! A child that was started: its process, the two pipes, and the conversation over them.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::error::{Fault, ShellError};
use super::greeting::{PidFolder, handshake};
use super::liveness::{Dead, Due, Liveness, Signs};
use super::outbox::Outbox;
use super::process::{Pipes, Process, cpu_ticks};
use super::settings::Settings;
use super::spec::Spec;
use super::stderr::Lines;
use crate::clock::Time;
use crate::component::TaskContext;
use crate::multilang::{Framing, HostReader, HostWriter};

/// Bytes that are read at once.
pub(super) const READ_BYTES: usize = 64 << 10;

/// A child and what is said to it and by it.
#[derive(Debug)]
pub(super) struct Child {
    pub process: Process,
    stdout: OwnedFd,
    pub out: Outbox,
    pub writer: HostWriter,
    /// In which both speak.
    pub framing: Framing,
    pub reader: HostReader,
    pub liveness: Liveness,
    pub started: Time,
    /// The process id that it told; none before it has.
    pub pid: Option<i64>,
    /// Whether the pipe may have more to be read.
    may_have_more: bool,
}

/// What a reading found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Read {
    /// Bytes, which the reader has.
    Some,
    /// Nothing now.
    Nothing,
}

impl Child {
    /// Starts a child and begins to talk to it.
    ///
    /// # Errors
    /// [`ShellError`].
    pub fn start(
        spec: &Spec,
        settings: &Settings,
        context: &TaskContext,
        pids: &PidFolder,
        now: Time,
    ) -> Result<Self, ShellError> {
        let directory = spec.directory(context.resources());
        let command = spec.command(&directory)?;
        let failed = |source| {
            let (command, directory) = (spec.line(), directory.clone());
            ShellError::Start { command, directory, source }
        };
        if !directory.is_dir() {
            return Err(failed(io::Error::new(
                io::ErrorKind::NotFound,
                "the directory does not exist",
            )));
        }
        let lines = Lines::new(tracing::Span::current(), context.task().0);
        let (clock, waker) = (context.clock().clone(), context.waker());
        let (process, Pipes { stdin, stdout }) =
            Process::start(command, lines, clock, waker).map_err(failed)?;
        let watched = context.watch_readable(&stdout).and_then(|()| context.watch_writable(&stdin));
        watched.map_err(|source| ShellError::Watch { command: spec.line(), source })?;
        let serializer = settings.serializer;
        let mut writer = HostWriter::new(serializer.handshake, settings.max_message_bytes);
        let greeting = handshake(context, serializer, pids.path());
        writer.handshake(&greeting);
        Ok(Self {
            process,
            stdout,
            out: Outbox::new(stdin),
            writer,
            framing: serializer.handshake,
            reader: HostReader::new(serializer.handshake, settings.max_message_bytes),
            liveness: Liveness::new(settings.timeout, now),
            started: now,
            pid: None,
            may_have_more: true,
        })
    }

    /// Notes that the pipe may have something to be read.
    pub fn note_readable(&mut self) {
        self.may_have_more = true;
    }

    /// Reads once, if there may be something and what the child does not take of ours leaves room.
    ///
    /// # Errors
    /// [`Fault`], as at the end of its output.
    pub fn read(&mut self, buffer: &mut [u8], now: Time) -> Result<Read, Fault> {
        if !self.may_have_more || self.out.is_overfull() {
            return Ok(Read::Nothing);
        }
        match rustix::io::read(&self.stdout, &mut *buffer) {
            Ok(0) => Err(Fault::Closed),
            Ok(count) => {
                // Less than was asked for empties a pipe; more in it is told anew.
                self.may_have_more = count == buffer.len();
                self.liveness.spoke(now);
                self.reader.push(&buffer[..count]);
                Ok(Read::Some)
            }
            Err(Errno::AGAIN) => {
                self.may_have_more = false;
                Ok(Read::Nothing)
            }
            Err(Errno::INTR) => Ok(Read::Nothing),
            Err(error) => Err(Fault::Read(error.into())),
        }
    }

    /// Takes the child's answer to the handshake; true once it has come.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn greeted(&mut self, settings: &Settings) -> Result<bool, Fault> {
        if self.pid.is_some() {
            return Ok(true);
        }
        let Some(pid) = self.reader.next_pid()? else { return Ok(false) };
        self.pid = Some(pid.pid);
        let framing = match (pid.framing, settings.serializer.offered) {
            (None, None) => None,
            (None, Some(offered)) => {
                tracing::info!("the child does not know the framing {offered}, JSON stays");
                None
            }
            (Some(chosen), offered) => match Framing::named(&chosen) {
                Some(framing) if Some(framing) == offered => Some(framing),
                _ => return Err(Fault::Framing(chosen)),
            },
        };
        if let Some(framing) = framing {
            self.reader.set_framing(framing);
            self.writer.set_framing(framing);
            self.framing = framing;
        }
        Ok(true)
    }

    /// Writes what there is and the pipe takes.
    ///
    /// # Errors
    /// [`Fault`] if nobody reads.
    pub fn write(&mut self) -> Result<(), Fault> {
        let bytes = self.writer.pending();
        if bytes.is_empty() {
            return Ok(());
        }
        let written = self.out.write(bytes).map_err(|_| Fault::ClosedInput)?;
        self.writer.sent(written);
        Ok(())
    }

    /// Asks for a word or looks at the child if it is time; answers when to do so next.
    ///
    /// # Errors
    /// [`Fault`] if it is to be ended.
    pub fn watch_over(
        &mut self,
        settings: &Settings,
        now: Time,
        ask: impl FnOnce(&mut HostWriter),
    ) -> Result<Time, Fault> {
        match self.liveness.due(now) {
            Due::Later(at) => return Ok(at),
            Due::Ask => {
                self.liveness.asked(self.signs(), now);
                ask(&mut self.writer);
                self.write()?;
            }
            Due::Look => {
                let timeout = settings.timeout;
                self.liveness.look(self.signs(), now).map_err(|dead| match dead {
                    Dead::Silent if self.pid.is_none() => Fault::SilentAtStart(timeout),
                    Dead::Silent => Fault::Silent(timeout),
                    Dead::Spinning => Fault::Spinning(timeout),
                })?;
            }
        }
        Ok(match self.liveness.due(now) {
            Due::Later(at) => at,
            Due::Ask | Due::Look => now + settings.timeout,
        })
    }

    fn signs(&self) -> Signs {
        let told = self.pid.and_then(|pid| u32::try_from(pid).ok());
        let told = told.filter(|pid| *pid != self.process.pid);
        let ticks = [Some(self.process.pid), told].into_iter().flatten().filter_map(cpu_ticks);
        Signs { taken_bytes: self.out.taken_bytes(), cpu_ticks: ticks.sum() }
    }
}
