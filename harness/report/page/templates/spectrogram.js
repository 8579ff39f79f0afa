
// ── What a clip looks like: its energy over time and frequency, worked out from the sound that is in the page ───────

const RATE_HZ = 16000, FRAME = 400, FFT = 512; // frames of 25 ms, padded to a power of two
const TOP_HZ = 4000; // about as far as an MP3 of 24 kbit/s goes
const EMPHASIS = 0.97; // of each sample's difference to the one before: speech falls off towards high frequencies
const FLOOR_DB = -60; // below the loudest: what is fainter is blank

// Draws a clip once it is decoded; `audio` is its data URI. Nothing is drawn where the browser cannot decode it.
async function drawSpectrogram(canvas, audio) {
  const coded = fromBase64(audio.slice(audio.indexOf(",") + 1));
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(coded.buffer);
  } catch {
    return;
  }
  if (!canvas.isConnected) return; // another row was chosen meanwhile
  const levels = spectrum(sound.getChannelData(0), canvas.width, canvas.height);
  const most = levels.reduce((a, b) => Math.max(a, b), -200);
  const ink = getComputedStyle(canvas).color.match(/[\d.]+/g).map(Number);
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(canvas.width, canvas.height);
  levels.forEach((level, place) => {
    const shade = Math.max(0, 1 - (level - most) / FLOOR_DB);
    image.data.set([...ink.slice(0, 3), 255 * shade * shade], place * 4);
  });
  pen.putImageData(image, 0, 0);
  canvas.hidden = false;
}

// Returns decibels, row by row from the highest frequency, of as many frames as there are columns.
function spectrum(samples, columns, lines) {
  const levels = new Float32Array(columns * lines);
  const window = Float32Array.from({ length: FRAME }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / FRAME));
  const [real, imaginary] = [new Float32Array(FFT), new Float32Array(FFT)];
  for (let column = 0; column < columns; column += 1) {
    const first = Math.round((column / Math.max(1, columns - 1)) * Math.max(0, samples.length - FRAME));
    real.fill(0);
    imaginary.fill(0);
    for (let n = 0; n < FRAME && first + n < samples.length; n += 1) {
      real[n] = (samples[first + n] - EMPHASIS * (samples[first + n - 1] || 0)) * window[n];
    }
    transform(real, imaginary);
    for (let line = 0; line < lines; line += 1) {
      const bin = Math.floor(((lines - 1 - line) / lines) * (TOP_HZ / RATE_HZ) * FFT);
      const power = real[bin] ** 2 + imaginary[bin] ** 2;
      levels[line * columns + column] = 10 * Math.log10(power + 1e-12);
    }
  }
  return levels;
}

// Transforms in place: the radix-2 algorithm of Cooley and Tukey (1965).
function transform(real, imaginary) {
  const n = real.length;
  for (let from = 1, to = 0; from < n; from += 1) {
    let bit = n >> 1;
    for (; to & bit; bit >>= 1) to ^= bit;
    to ^= bit;
    if (from < to) {
      [real[from], real[to]] = [real[to], real[from]];
      [imaginary[from], imaginary[to]] = [imaginary[to], imaginary[from]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let k = 0; k < size / 2; k += 1) {
      const [cosine, sine] = [Math.cos((2 * Math.PI * k) / size), -Math.sin((2 * Math.PI * k) / size)];
      for (let even = k; even < n; even += size) {
        const odd = even + size / 2;
        const [re, im] = [real[odd] * cosine - imaginary[odd] * sine, real[odd] * sine + imaginary[odd] * cosine];
        [real[odd], imaginary[odd]] = [real[even] - re, imaginary[even] - im];
        [real[even], imaginary[even]] = [real[even] + re, imaginary[even] + im];
      }
    }
  }
}
