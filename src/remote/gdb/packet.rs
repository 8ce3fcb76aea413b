//! Packets: `$`, what is said, `#` and a checksum of two digits. Bytes in, packets out, and the other way round;
//! nothing here knows what they mean.

/// The longest packet that is taken. What a client is told to send at most is shorter.
pub(super) const MAX_PACKET: usize = 1 << 20;

/// How much between packets is passed over.
const MAX_RUBBISH: usize = 1024;

/// What a client has sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A packet, with its escapes undone.
    Packet(Vec<u8>),
    /// A packet whose checksum is wrong.
    Damaged,
    /// It has understood the last packet.
    Ack,
    /// It asks for the last packet again.
    Nack,
    /// The guest is to stop.
    Interrupt,
}

/// Why a client is not listened to any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// A packet without end.
    TooLong,
    /// It does not speak this protocol.
    Rubbish,
}

/// What is read.
#[derive(Default)]
pub(super) struct Reader {
    state: State,
    packet: Vec<u8>,
    sum: u8,
    rubbish: usize,
    begun: bool,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Between,
    Within,
    Escaped,
    /// Of the checksum the first digit is due.
    First,
    /// The second; the first is this.
    Second(u8),
}

impl Reader {
    /// Takes a byte.
    ///
    /// # Errors
    /// Where the client is not to be listened to any further.
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<Item>, Wrong> {
        match self.state {
            State::Between => {
                let item = match byte {
                    b'$' => {
                        self.packet.clear();
                        self.sum = 0;
                        self.state = State::Within;
                        None
                    }
                    b'+' => Some(Item::Ack),
                    b'-' => Some(Item::Nack),
                    3 => Some(Item::Interrupt),
                    // A web page can have a browser send something to any port of this machine.
                    _ if !self.begun => return Err(Wrong::Rubbish),
                    _ => {
                        self.rubbish += 1;
                        if self.rubbish > MAX_RUBBISH {
                            return Err(Wrong::Rubbish);
                        }
                        None
                    }
                };
                self.begun = true;
                return Ok(item);
            }
            State::Within if byte == b'#' => self.state = State::First,
            State::Within => {
                self.sum = self.sum.wrapping_add(byte);
                match byte {
                    b'}' => self.state = State::Escaped,
                    _ => self.push(byte)?,
                }
            }
            State::Escaped => {
                self.sum = self.sum.wrapping_add(byte);
                self.push(byte ^ 0x20)?;
                self.state = State::Within;
            }
            State::First => self.state = State::Second(byte),
            State::Second(first) => {
                self.state = State::Between;
                let digits = [first, byte];
                let sum = std::str::from_utf8(&digits).ok().and_then(|text| u8::from_str_radix(text, 16).ok());
                if sum != Some(self.sum) {
                    return Ok(Some(Item::Damaged));
                }
                return Ok(Some(Item::Packet(std::mem::take(&mut self.packet))));
            }
        }
        Ok(None)
    }

    fn push(&mut self, byte: u8) -> Result<(), Wrong> {
        if self.packet.len() >= MAX_PACKET {
            return Err(Wrong::TooLong);
        }
        self.packet.push(byte);
        Ok(())
    }
}

/// A packet that says this.
pub(super) fn framed(said: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(said.len() + 4);
    packet.push(b'$');
    for byte in said {
        match byte {
            b'$' | b'#' | b'}' | b'*' => packet.extend([b'}', byte ^ 0x20]),
            _ => packet.push(*byte),
        }
    }
    let sum = packet[1..].iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    packet.extend(format!("#{sum:02x}").bytes());
    packet
}

/// Bytes as digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digits as bytes; none where they are none.
pub(super) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let pairs = text.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Item>, Wrong> {
        let mut reader = Reader::default();
        let mut items = Vec::new();
        for byte in bytes {
            items.extend(reader.take(*byte)?);
        }
        Ok(items)
    }

    #[test]
    fn what_is_framed_is_read() {
        for said in [&b""[..], b"OK", b"}#$*\x03+-", &(0..=255).collect::<Vec<u8>>()] {
            assert_eq!(all(&framed(said)), Ok(vec![Item::Packet(said.to_vec())]));
        }
        assert_eq!(framed(b"a#"), b"$a}\x03#e1");
    }

    #[test]
    fn signs_rubbish_and_damage() {
        let items = all(b"+$a#61-\x03??$a#62$a#zz$ab#C3").unwrap();
        let packet = |text: &[u8]| Item::Packet(text.to_vec());
        let damaged = || Item::Damaged;
        let expected = [Item::Ack, packet(b"a"), Item::Nack, Item::Interrupt, damaged(), damaged(), packet(b"ab")];
        assert_eq!(items, expected);
        assert_eq!(all(b"POST / HTTP/1.1"), Err(Wrong::Rubbish));
        assert_eq!(all(&[&b"+"[..], &[b'x'; 2000]].concat()), Err(Wrong::Rubbish));
        assert_eq!(all(&[&b"$"[..], &vec![b'x'; MAX_PACKET + 1]].concat()), Err(Wrong::TooLong));
        assert!(all(&[&b"$"[..], &vec![b'x'; MAX_PACKET]].concat()).is_ok());
        assert_eq!(unhex(b"0aFf"), Some(vec![10, 255]));
        assert!(unhex(b"0").is_none() && unhex(b"0g").is_none());
    }
}
