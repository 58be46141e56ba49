using System.Text.Json;
using System.Text.Unicode;

namespace ChannelBridge.Protocol.Json;

/// <summary>Checks a whole message that is one JSON value of any kind: UTF-8, well-formed, and within <see cref="JsonLimits"/>.</summary>
public static class JsonShape
{
    /// <summary>True when it is sound.</summary>
    /// <param name="message">The message.</param>
    /// <param name="limits">Its bounds.</param>
    /// <param name="error">What is wrong with it.</param>
    public static bool Check(ReadOnlySpan<byte> message, JsonLimits limits, out ProtocolError error)
    {
        ArgumentNullException.ThrowIfNull(limits);
        error = default;
        if (!Utf8.IsValid(message)) return Fail("the message isn't UTF-8", out error);
        var reader = new Utf8JsonReader(message, JsonGuard.ReaderOptions);
        var guard = new JsonGuard(limits);
        try
        {
            if (!reader.Read()) return Fail("the message is empty", out error);
            if (!guard.SkipValue(ref reader, out error)) return false;
            return !reader.Read() || Fail("something follows the value", out error);
        }
        catch (JsonException)
        {
            return Fail("the message is no JSON", out error);
        }
        finally
        {
            guard.Dispose();
        }
    }

    private static bool Fail(string message, out ProtocolError error)
    {
        error = new ProtocolError(ProtocolFault.InvalidJson, message);
        return false;
    }
}
