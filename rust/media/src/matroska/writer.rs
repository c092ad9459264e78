//! Writes a Matroska file: a head with room for what is known later, clusters, and cues at the end.
//!
//! What the pictures are is known with the first key frame only, which may come long after the
//! sound, or never; so the tracks have a place of a fixed size that is written over.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::MatroskaError;
use super::cluster::Cluster;
use super::ebml::{
    UNKNOWN_LENGTH, fill_to, put, put_float, put_id, put_master, put_number, wide_length,
};
use super::tracks::{PICTURES, PictureTrack, SOUND, block_of, put_sound};
use crate::ogg_opus::VoiceEncoder;
use crate::recorder::Picture;

const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CUES: u32 = 0x1c53_bb6b;
/// Room for the places of what is in the file, for what it is, and for its tracks.
const SEEK_ROOM: usize = 128;
const INFO_ROOM: usize = 128;
const TRACKS_ROOM: usize = 2_048;
/// Pictures that wait for the sound beside them, which comes half a second at a time.
const MOST_WAITING_MS: u64 = 3_000;
const MOST_WAITING_BYTES: usize = 16 << 20;
/// Places to begin at that a file names: beyond, it is played and not sought in.
const MOST_CUES: usize = 65_536;

#[derive(Debug)]
struct Waiting {
    at_ms: u64,
    is_key: bool,
    block: Vec<u8>,
}

/// Writes pictures and interleaved samples of 16 kHz.
#[derive(Debug)]
pub struct MatroskaWriter {
    file: BufWriter<File>,
    /// How much has been written.
    position: u64,
    /// Where the segment's content begins; places in the file are told from there.
    segment: u64,
    sound: Option<VoiceEncoder>,
    pictures: Option<PictureTrack>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    cluster: Cluster,
    cues: Vec<(u64, u64)>,
    /// When the last picture, and the one before it, are shown.
    shown_ms: (u64, u64),
    is_finished: bool,
}

impl MatroskaWriter {
    /// Creates a file with sound of so many channels, or none, and writes its head.
    pub fn create(path: &Path, channels: u16) -> Result<Self, MatroskaError> {
        let sound = match channels {
            0 => None,
            _ => Some(VoiceEncoder::new(channels)?),
        };
        let mut writer = Self {
            file: BufWriter::new(File::create(path)?),
            position: 0,
            segment: 0,
            sound,
            pictures: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            cluster: Cluster::default(),
            cues: Vec::new(),
            shown_ms: (0, 0),
            is_finished: false,
        };
        let mut head = Vec::new();
        put_master(&mut head, 0x1a45_dfa3, |head| {
            put_number(head, 0x4286, 1);
            put_number(head, 0x42f7, 1);
            put_number(head, 0x42f2, 4);
            put_number(head, 0x42f3, 8);
            put(head, 0x4282, b"matroska");
            put_number(head, 0x4287, 4);
            put_number(head, 0x4285, 2);
        });
        put_id(&mut head, SEGMENT);
        writer.segment = head.len() as u64 + 8;
        head.extend(UNKNOWN_LENGTH);
        let room = head.len() + SEEK_ROOM;
        fill_to(&mut head, room);
        writer.put(&head)?;
        writer.put(&information(None))?;
        writer.put(&writer.tracks()?)?;
        writer.file.flush()?;
        Ok(writer)
    }

    /// Takes interleaved samples of 16 kHz.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), MatroskaError> {
        let Some(sound) = &mut self.sound else {
            return Ok(());
        };
        sound.push(samples);
        while let Some((at_ms, packet)) =
            self.sound.as_mut().map_or(Ok(None), VoiceEncoder::next)?
        {
            self.put_waiting(at_ms)?;
            self.put_block(SOUND, at_ms, true, &packet)?;
        }
        Ok(())
    }

    /// Takes a picture; the first one has to be a key frame.
    pub fn write_picture(&mut self, picture: &Picture) -> Result<(), MatroskaError> {
        match &self.pictures {
            None => {
                let track = PictureTrack::of_key_frame(picture);
                let Some(track) = track.filter(|_| picture.is_key) else {
                    return Ok(());
                };
                self.pictures = Some(track);
                let tracks = self.tracks()?;
                self.put_at(self.segment + (SEEK_ROOM + INFO_ROOM) as u64, &tracks)?;
            }
            Some(track) if track.codec != picture.codec => {
                let (before, after) = (track.codec.name(), picture.codec.name());
                return Err(MatroskaError::CodecChanged(before, after));
            }
            Some(_) => {}
        }
        let at_ms = picture.at.as_millis() as u64;
        self.shown_ms = (at_ms, self.shown_ms.0.min(at_ms));
        let block = block_of(picture.codec, &picture.data)?;
        if self.sound.is_none() {
            return self.put_block(PICTURES, at_ms, picture.is_key, &block);
        }
        self.waiting_bytes += block.len();
        self.waiting.push_back(Waiting {
            at_ms,
            is_key: picture.is_key,
            block,
        });
        let first = self.waiting.front().map_or(at_ms, |first| first.at_ms);
        if at_ms > first + MOST_WAITING_MS || self.waiting_bytes > MOST_WAITING_BYTES {
            self.put_waiting(at_ms)?;
        }
        Ok(())
    }

    /// Returns the seconds written.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let (last, before) = self.shown_ms;
        let shown = if self.pictures.is_some() {
            // The last picture stays for the time of one.
            (last + (last - before).clamp(1, 1_000)) as f64 / 1000.0
        } else {
            0.0
        };
        shown.max(self.sound.as_ref().map_or(0.0, VoiceEncoder::seconds))
    }

    /// Writes the rest, the cues, and what is known only now. A second call does nothing.
    pub fn finish(&mut self) -> Result<(), MatroskaError> {
        if self.is_finished {
            return Ok(());
        }
        self.is_finished = true;
        while let Some((at_ms, packet, left_out)) =
            self.sound.as_mut().map_or(Ok(None), VoiceEncoder::rest)?
        {
            self.put_waiting(at_ms)?;
            if left_out > 0 {
                self.cluster
                    .add_last(SOUND, at_ms, &packet, left_out * 1_000_000_000 / 48_000);
            } else {
                self.put_block(SOUND, at_ms, true, &packet)?;
            }
        }
        self.put_waiting(u64::MAX)?;
        self.put_cluster()?;
        let cues = self.position;
        if !self.cues.is_empty() {
            self.put(&cue_points(&self.cues))?;
        }
        let length = wide_length(self.position - self.segment);
        self.put_at(self.segment - 8, &length)?;
        let places = self.places(cues);
        self.put_at(self.segment, &places)?;
        let known = information(Some(self.seconds() * 1000.0));
        self.put_at(self.segment + SEEK_ROOM as u64, &known)?;
        Ok(self.file.flush()?)
    }

    fn tracks(&self) -> Result<Vec<u8>, MatroskaError> {
        let mut out = Vec::new();
        put_master(&mut out, TRACKS, |tracks| {
            if let Some(pictures) = &self.pictures {
                pictures.put(tracks);
            }
            if let Some(sound) = &self.sound {
                put_sound(tracks, &sound.head(), sound.channels(), sound.pre_skip());
            }
        });
        if out.len() + 9 > TRACKS_ROOM {
            return Err(MatroskaError::TooLarge);
        }
        fill_to(&mut out, TRACKS_ROOM);
        Ok(out)
    }

    /// Where the parts of the file begin.
    fn places(&self, cues: u64) -> Vec<u8> {
        let mut parts = vec![
            (INFO, SEEK_ROOM as u64),
            (TRACKS, (SEEK_ROOM + INFO_ROOM) as u64),
        ];
        if !self.cues.is_empty() {
            parts.push((CUES, cues - self.segment));
        }
        let mut out = Vec::new();
        put_master(&mut out, 0x114d_9b74, |seek| {
            for (id, place) in parts {
                put_master(seek, 0x4dbb, |entry| {
                    put(entry, 0x53ab, &id.to_be_bytes());
                    put_number(entry, 0x53ac, place);
                });
            }
        });
        fill_to(&mut out, SEEK_ROOM);
        out
    }

    /// Writes the pictures that are shown up to a time.
    fn put_waiting(&mut self, until_ms: u64) -> Result<(), MatroskaError> {
        while self
            .waiting
            .front()
            .is_some_and(|next| next.at_ms <= until_ms)
        {
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            self.waiting_bytes -= next.block.len();
            self.put_block(PICTURES, next.at_ms, next.is_key, &next.block)?;
        }
        Ok(())
    }

    fn put_block(
        &mut self,
        track: u8,
        at_ms: u64,
        is_key: bool,
        data: &[u8],
    ) -> Result<(), MatroskaError> {
        let is_entry = is_key && track == PICTURES;
        if self.cluster.is_over(at_ms, is_entry) {
            self.put_cluster()?;
        }
        self.cluster.add(track, at_ms, is_entry, is_key, data);
        Ok(())
    }

    fn put_cluster(&mut self) -> Result<(), MatroskaError> {
        let (begin, is_entry) = (self.cluster.begin_ms, self.cluster.is_entry);
        let Some(bytes) = self.cluster.take() else {
            return Ok(());
        };
        if let Some(begin) = begin.filter(|_| is_entry && self.cues.len() < MOST_CUES) {
            self.cues.push((begin, self.position - self.segment));
        }
        self.put(&bytes)?;
        // Readable up to here, should the process die.
        Ok(self.file.flush()?)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), MatroskaError> {
        self.file.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn put_at(&mut self, place: u64, bytes: &[u8]) -> Result<(), MatroskaError> {
        self.file.seek(SeekFrom::Start(place))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::Start(self.position))?;
        Ok(())
    }
}

impl Drop for MatroskaWriter {
    fn drop(&mut self) {
        // A writer that was not finished has told of its error already.
        let _ = self.finish();
    }
}

/// What the file is; its length is known at its end.
fn information(length_ms: Option<f64>) -> Vec<u8> {
    let mut out = Vec::new();
    put_master(&mut out, INFO, |info| {
        // Times are in milliseconds.
        put_number(info, 0x002a_d7b1, 1_000_000);
        if let Some(length_ms) = length_ms {
            put_float(info, super::length::DURATION, length_ms);
        }
        let name = concat!("trivox ", env!("CARGO_PKG_VERSION")).as_bytes();
        put(info, 0x4d80, name);
        put(info, 0x5741, name);
    });
    fill_to(&mut out, INFO_ROOM);
    out
}

fn cue_points(cues: &[(u64, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_master(&mut out, CUES, |points| {
        for (at_ms, place) in cues {
            put_master(points, 0xbb, |point| {
                put_number(point, 0xb3, *at_ms);
                put_master(point, 0xb7, |track| {
                    put_number(track, 0xf7, u64::from(PICTURES));
                    put_number(track, 0xf1, *place);
                });
            });
        }
    });
    out
}
