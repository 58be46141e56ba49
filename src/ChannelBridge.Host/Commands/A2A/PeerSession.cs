using System.Text;
using ChannelBridge.A2A;
using ChannelBridge.A2A.Client;

namespace ChannelBridge.Host.Commands.A2A;

/// <summary>One run of a command: its client, and how it prints.</summary>
internal sealed class PeerSession(A2AClient client, bool json, TextWriter output, TextWriter errors) : IDisposable
{
    public A2AClient Client => client;

    /// <summary>0 when it came to a good end, or waits for you; else as if refused.</summary>
    public static int CodeOf(SendResult result) => result.Task?.Status.State is TaskState.Failed or TaskState.Rejected or TaskState.Canceled
        ? ExitCodes.Refused
        : ExitCodes.Ok;

    /// <summary>Prints a record: as JSON, or as people read it.</summary>
    public void Print<T>(A2ACodec<T> codec, T value, Func<T, string> text)
        where T : class => output.WriteLine(json ? Encoding.UTF8.GetString(codec.ToBytes(value)) : text(value));

    /// <summary>Prints an event: what was made on the output, what became of it beside it.</summary>
    public void Tell(StreamItem item)
    {
        if (json)
        {
            output.WriteLine(Encoding.UTF8.GetString(A2ADialect.V10.Item.ToBytes(item)));
        }
        else if (item.ArtifactUpdate is { } update)
        {
            output.Write(PeerText.Parts(update.Artifact.Parts));
            if (update.LastChunk) output.WriteLine();
        }
        else if (item.Message is { } message)
        {
            output.WriteLine(PeerText.Parts(message.Parts));
        }
        else if (item.Task is { } task)
        {
            errors.WriteLine($"task {task.Id}: {PeerText.State(task.Status.State)}");
        }
        else if (item.StatusUpdate is { } status)
        {
            if (status.Status.Message is { } said) output.WriteLine(PeerText.Parts(said.Parts));
            errors.WriteLine($"task {status.TaskId}: {PeerText.State(status.Status.State)}");
        }

        output.Flush();
    }

    /// <summary>Prints what came of a send.</summary>
    public int End(SendResult result)
    {
        if (json || result.Task is null)
        {
            Print(A2ADialect.V10.SendResult, result, static result => PeerText.Parts(result.Message!.Parts));
            return CodeOf(result);
        }

        var made = PeerText.Made(result.Task);
        if (made.Length > 0) output.WriteLine(made);
        errors.WriteLine($"task {result.Task.Id}: {PeerText.State(result.Task.Status.State)}");
        return CodeOf(result);
    }

    public void Dispose() => client.Dispose();
}
