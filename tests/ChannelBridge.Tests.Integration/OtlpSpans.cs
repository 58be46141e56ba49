using System.Text;

namespace ChannelBridge.Tests.Integration;

/// <summary>One span of an OTLP export.</summary>
internal sealed record OtlpSpan(string Scope, string Name, string Id, string ParentId, string TraceId);

/// <summary>Reads the spans of an OTLP/HTTP body; of protobuf it knows what that needs.</summary>
internal static class OtlpSpans
{
    public static IEnumerable<OtlpSpan> Read(byte[] body)
    {
        foreach (var resourceSpans in Fields(body, 1))
        {
            foreach (var scopeSpans in Fields(resourceSpans, 2))
            {
                var scope = Fields(scopeSpans, 1).SelectMany(scope => Fields(scope, 1)).Select(Encoding.UTF8.GetString).FirstOrDefault("");
                foreach (var span in Fields(scopeSpans, 2))
                    yield return new OtlpSpan(scope, Text(span, 5), Hex(span, 2), Hex(span, 4), Hex(span, 1));
            }
        }
    }

    private static string Text(byte[] message, int field) => Encoding.UTF8.GetString(Fields(message, field).FirstOrDefault([]));

    private static string Hex(byte[] message, int field) => Convert.ToHexStringLower(Fields(message, field).FirstOrDefault([]));

    /// <summary>The length-delimited values of one field.</summary>
    private static List<byte[]> Fields(byte[] message, int wanted)
    {
        var found = new List<byte[]>();
        var at = 0;
        while (at < message.Length)
        {
            var tag = Number(message, ref at);
            switch (tag & 7)
            {
                case 0:
                    _ = Number(message, ref at);
                    break;
                case 1:
                    at += sizeof(ulong);
                    break;
                case 2:
                    var length = (int)Number(message, ref at);
                    if (tag >> 3 == (ulong)wanted) found.Add(message[at..(at + length)]);
                    at += length;
                    break;
                case 5:
                    at += sizeof(uint);
                    break;
                default:
                    throw new InvalidDataException($"wire type {tag & 7}");
            }
        }

        return found;
    }

    private static ulong Number(byte[] message, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = message[at++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80) return value;
        }
    }
}
