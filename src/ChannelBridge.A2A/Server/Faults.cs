using System.Text.Json;

namespace ChannelBridge.A2A.Server;

/// <summary>Makes errors of the protocol of what went wrong while a request was read or done.</summary>
internal static class Faults
{
    public static A2AException From(Exception fault) => fault switch
    {
        A2AException known => known,
        JsonException wrong => new A2AException(A2AError.InvalidParams, $"{Member(wrong)}"),
        // What it was stands in the server's log; a stranger isn't told.
        _ => new A2AException(A2AError.Internal, "The server has failed; its log says more."),
    };

    /// <summary>Names the member that is wrong.</summary>
    private static string Member(JsonException fault)
    {
        var path = fault.Path is { Length: > 0 } given and not "$" ? given.Replace("$.", "", StringComparison.Ordinal) : "params";
        return path.Length > 200
            ? "A parameter is missing, of the wrong type or out of range."
            : fault.Message.StartsWith(path, StringComparison.Ordinal)
                ? fault.Message
                : $"{path} is missing, of the wrong type or out of range.";
    }
}
