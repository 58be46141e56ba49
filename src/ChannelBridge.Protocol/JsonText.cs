using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;

namespace ChannelBridge.Protocol;

/// <summary>Writes JSON strings without a writer object.</summary>
internal static class JsonText
{
    private const int StackLimit = 256;

    /// <summary>Writes <paramref name="text"/> as a JSON string with its quotes.</summary>
    public static void WriteQuoted(IBufferWriter<byte> output, string text)
    {
        // Names on the wire are short ASCII; anything else takes the encoder's way.
        if (text.Length <= StackLimit && Ascii.IsValid(text) && text.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0 && text.AsSpan().IndexOfAny('"', '\\') < 0)
        {
            var span = output.GetSpan(text.Length + 2);
            span[0] = (byte)'"';
            Ascii.FromUtf16(text, span[1..], out var written);
            span[written + 1] = (byte)'"';
            output.Advance(written + 2);
            return;
        }

        output.Write("\""u8);
        output.Write(Encoding.UTF8.GetBytes(JavaScriptEncoder.Default.Encode(text)));
        output.Write("\""u8);
    }
}
