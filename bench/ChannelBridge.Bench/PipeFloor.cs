using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace ChannelBridge.Bench;

/// <summary>
/// The floor for plugins: a program that says and answers the same messages over the same kind of pipe, its standard input and output, and does nothing
/// with them. A message is written in one go and read by blocking reads, as a program would that has nothing else to do.
/// </summary>
internal static class PipeFloor
{
    /// <summary>Answers each message of the input with one of <see cref="AnswerBytes"/>.</summary>
    public static int Echo()
    {
        using var input = Console.OpenStandardInput();
        using var output = Console.OpenStandardOutput();
        var reader = new Reader(input);
        var answer = Message(new byte[AnswerBytes], binary: false);
        while (reader.Read() is not null)
        {
            output.Write(answer);
            output.Flush();
        }

        return 0;
    }

    /// <summary>Writes so many frames of a stream, each an event of so many bytes.</summary>
    public static int Events(long count, int bytes)
    {
        using var output = Console.OpenStandardOutput();
        var item = Encoding.ASCII.GetBytes($$"""{"data":"{{new string('x', bytes)}}"}""");
        for (var seq = 1L; seq <= count; seq++)
        {
            var header = Encoding.ASCII.GetBytes($$"""{"stream":1,"seq":{{seq}}}""");
            var body = new byte[4 + header.Length + item.Length];
            body[3] = (byte)header.Length;
            header.CopyTo(body, 4);
            item.CopyTo(body, 4 + header.Length);
            output.Write(Message(body, binary: true));
        }

        output.Flush();
        return 0;
    }

    /// <summary>A push's size with 1 KB of text, and its answer's.</summary>
    public const int PushBytes = 1400;

    private const int AnswerBytes = 120;

    /// <summary>The time of one round trip, in microseconds, p50.</summary>
    public static double RoundTrip(TimeSpan duration)
    {
        using var process = Start("pipe-echo");
        var reader = new Reader(process.StandardOutput.BaseStream);
        var output = process.StandardInput.BaseStream;
        var push = Message(new byte[PushBytes], binary: false);
        var times = new List<double>();
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < duration + Warm)
        {
            var begun = Stopwatch.GetTimestamp();
            output.Write(push);
            output.Flush();
            reader.Read();
            if (clock.Elapsed > Warm) times.Add(Stopwatch.GetElapsedTime(begun).TotalMicroseconds);
        }

        process.StandardInput.Close();
        process.WaitForExit();
        times.Sort();
        return times[times.Count / 2];
    }

    /// <summary>How many frames a second came through.</summary>
    public static double EventRate(long count, int bytes)
    {
        using var process = Start("pipe-events", count.ToString(CultureInfo.InvariantCulture), bytes.ToString(CultureInfo.InvariantCulture));
        var reader = new Reader(process.StandardOutput.BaseStream);
        Stopwatch? clock = null;
        var read = 0L;
        while (reader.Read() is { } length)
        {
            if (length < bytes) throw new InvalidOperationException("a frame is too short");
            read++;
            // The start of the program isn't what is measured.
            clock ??= Stopwatch.StartNew();
        }

        process.WaitForExit();
        return read == count ? read / clock!.Elapsed.TotalSeconds : throw new InvalidOperationException($"{read} of {count} frames came");
    }

    private static TimeSpan Warm => TimeSpan.FromSeconds(1);

    private static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "channelbridge-bench.dll"), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return Process.Start(start)!;
    }

    private static byte[] Message(byte[] body, bool binary) =>
        [.. Encoding.ASCII.GetBytes($"Content-Length: {body.Length}\r\n{(binary ? "Content-Type: application/octet-stream\r\n" : "")}\r\n"), .. body];

    /// <summary>Reads messages and passes over their bodies.</summary>
    private sealed class Reader(Stream input)
    {
        private readonly byte[] _buffer = new byte[64 * 1024];
        private int _start;
        private int _end;

        /// <summary>The length of the next body, or null at the end.</summary>
        public int? Read()
        {
            int header;
            while ((header = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8)) < 0)
            {
                if (!Fill()) return null;
            }

            var length = 0;
            foreach (var digit in _buffer.AsSpan(_start + "Content-Length: ".Length))
            {
                if (digit is < (byte)'0' or > (byte)'9') break;
                length = length * 10 + digit - '0';
            }

            var whole = header + 4 + length;
            while (_end - _start < whole)
            {
                if (!Fill()) return null;
            }

            _start += whole;
            return length;
        }

        private bool Fill()
        {
            if (_start > 0)
            {
                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                _end -= _start;
                _start = 0;
            }

            var read = input.Read(_buffer, _end, _buffer.Length - _end);
            _end += read;
            return read > 0;
        }
    }
}
