//! Linux input devices: opened, grabbed, and read event by event. What the events mean is `driver::keypad::keystrokes`.
//!
//! ## Why the raw device
//! `evdev::Device` hides an overrun of the kernel's buffer by inventing the events that bring it up to date. In a number that
//! is being typed, invented keys are wrong digits; the raw device shows `SYN_DROPPED`, and the number is asked for again.
use std::{io, path::Path, time::Duration, time::SystemTime};

use evdev::{
    EventType, InputEvent, LedCode,
    raw_stream::{EventStream, RawDevice},
};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use super::LinkError;
use crate::clock;

/// A key that is down while the device is grabbed stays down for every other program (the Enter that started the daemon).
/// So the grab waits for its release; a key that never comes up must not keep the till from working.
const RELEASED_WITHIN: Duration = Duration::from_secs(2);

/// An open input device. Nobody else sees its keys; closing it gives them back.
pub struct InputDevice {
    port: String,
    stream: EventStream,
}

/// One `input_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// `EV_KEY` and its like.
    pub kind: u16,
    /// The key.
    pub code: u16,
    /// 1 down, 0 up, 2 repeat.
    pub value: i32,
    /// When the kernel got it, wall clock.
    pub stamp: SystemTime,
}

impl std::fmt::Debug for InputDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputDevice").field("port", &self.port).finish_non_exhaustive()
    }
}

impl InputDevice {
    /// Opens and grabs (`EVIOCGRAB`) a device.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub async fn open(path: &Path) -> Result<Self, LinkError> {
        let port = path.display().to_string();
        let other = |doing: &'static str, cause: &dyn ToString| LinkError::Other {
            port: port.clone(),
            doing,
            cause: cause.to_string(),
        };
        let open =
            |access| rustix::fs::open(path, access | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
        // Writing is for the Num Lock lamp alone: a rule that lets us only read is enough.
        let fd = open(OFlags::RDWR).or_else(|_| open(OFlags::RDONLY)).map_err(|cause| match cause {
            Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOTDIR => LinkError::Absent { port: port.clone() },
            Errno::ACCESS | Errno::PERM => LinkError::NoPermission { port: port.clone() },
            cause => other("being opened", &cause),
        })?;
        let device = RawDevice::from_fd(fd).map_err(|cause| match cause.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOTTY | Errno::INVAL) => not_a_keypad(&port, "it is no input device"),
            Some(Errno::NODEV) => LinkError::Absent { port: port.clone() },
            Some(_) | None => other("being read for its name", &cause),
        })?;
        if !device.supported_events().contains(EventType::KEY) {
            return Err(not_a_keypad(&port, "it has no keys"));
        }
        let stream = device.into_event_stream().map_err(|cause| other("being watched", &cause))?;
        let mut this = Self { port, stream };
        this.wait_for_release().await?;
        this.stream.device_mut().grab().map_err(|cause| match cause.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::BUSY) => LinkError::Busy { port: this.port.clone() },
            Some(_) | None => this.lost(&cause),
        })?;
        this.light_num_lock();
        Ok(this)
    }

    /// Some pads turn to cursor keys by themselves when the host does not light their Num Lock lamp; whoever sees a dark lamp
    /// presses the key. Nothing depends on it, so a pad that cannot or may not be lit is as good.
    fn light_num_lock(&mut self) {
        let device = self.stream.device_mut();
        if device.supported_leds().is_some_and(|leds| leds.contains(LedCode::LED_NUML)) {
            let lit = InputEvent::new(EventType::LED.0, LedCode::LED_NUML.0, 1);
            if let Err(cause) = device.send_events(&[lit]) {
                tracing::debug!("{}: its Num Lock lamp stays dark: {cause}", self.port);
            }
        }
    }

    /// Waits for the next event. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the device is gone.
    pub async fn read(&mut self) -> Result<Event, LinkError> {
        let event = self.stream.next_event().await.map_err(|cause| self.lost(&cause))?;
        Ok(Event { kind: event.event_type().0, code: event.code(), value: event.value(), stamp: event.timestamp() })
    }

    async fn wait_for_release(&mut self) -> Result<(), LinkError> {
        let give_up = clock::now() + RELEASED_WITHIN;
        while self.stream.device().get_key_state().map_err(|cause| self.lost(&cause))?.iter().next().is_some() {
            match tokio::time::timeout_at(give_up.into(), self.stream.next_event()).await {
                Ok(event) => drop(event.map_err(|cause| self.lost(&cause))?),
                Err(_elapsed) => break,
            }
        }
        Ok(())
    }

    fn lost(&self, cause: &io::Error) -> LinkError {
        LinkError::lost(&self.port, cause)
    }
}

fn not_a_keypad(port: &str, what: &str) -> LinkError {
    LinkError::Other {
        port: port.to_owned(),
        doing: "being opened as a keypad",
        cause: format!("{what}: name a link in /dev/input/by-id or by-path that ends in -event-kbd"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &str) -> LinkError {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(InputDevice::open(Path::new(path))).expect_err("this is no keypad")
    }

    #[test]
    fn a_device_that_is_not_there_is_absent() {
        assert_eq!(open("/dev/input/no-such-event"), LinkError::Absent { port: "/dev/input/no-such-event".into() });
    }

    #[test]
    fn a_file_that_is_no_input_device_is_refused_with_what_to_name_instead() {
        let text = open("/dev/null").to_string();
        assert!(text.contains("/dev/null") && text.contains("-event-kbd"), "{text}");
    }
}
