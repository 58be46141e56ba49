using System.Text;

namespace ChannelBridge.A2A;

/// <summary>How much parts weigh, for bounds.</summary>
public static class PartSizes
{
    /// <summary>Bytes of the content; what is beside it counts as a few.</summary>
    public static long Of(A2APart part)
    {
        ArgumentNullException.ThrowIfNull(part);
        long bytes = 32;
        if (part.Text is { } text) bytes += Encoding.UTF8.GetByteCount(text);
        if (part.Raw is { } raw) bytes += raw.Length;
        if (part.Url is { } url) bytes += url.Length;
        if (part.Data is { } data) bytes += data.GetRawText().Length;
        return bytes;
    }

    /// <summary>Bytes of all parts.</summary>
    public static long Of(IReadOnlyList<A2APart> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        long bytes = 0;
        foreach (var part in parts) bytes += Of(part);
        return bytes;
    }

    /// <summary>Bytes of a task as it goes over the wire, roughly: its history, its artifacts with their bytes in base64, and what its agent says.</summary>
    public static long Of(A2ATask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        var bytes = 256L;
        foreach (var artifact in task.Artifacts ?? []) bytes += OnWire(artifact.Parts);
        foreach (var message in task.History ?? []) bytes += OnWire(message.Parts);
        return task.Status.Message is { } said ? bytes + OnWire(said.Parts) : bytes;
    }

    private static long OnWire(IReadOnlyList<A2APart> parts)
    {
        var bytes = 64L;
        foreach (var part in parts) bytes += Of(part) + ((part.Raw?.Length ?? 0) / 3L);
        return bytes;
    }
}
