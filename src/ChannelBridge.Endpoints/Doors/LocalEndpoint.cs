using ChannelBridge.Abstractions.Access;
using ChannelBridge.Endpoints.Connections;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>A door for processes of the same user on the same machine: JSON-RPC with <c>Content-Length</c> framing, read and write without a token.</summary>
internal abstract partial class LocalEndpoint(EndpointRuntime runtime) : IAsyncDisposable
{
    private readonly ILogger _logger = runtime.Logger;

    /// <summary>What the door is, for messages.</summary>
    public abstract string Description { get; }

    /// <summary>Opens the door; returns when clients may come.</summary>
    /// <exception cref="IOException">It can't be opened; the message says what to do.</exception>
    public abstract Task OpenAsync();

    /// <summary>Lets nobody in any more. Connections go on.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Serves one client; returns when it is gone.</summary>
    protected async Task ServeAsync(Stream input, Stream output, Action? endOfOutput)
    {
        using var place = runtime.Connections.TryEnter(address: null, exempt: true, authenticated: true, out var refusal);
        if (place is null)
        {
            LogRefused(Description, refusal);
            await input.DisposeAsync().ConfigureAwait(false);
            return;
        }

        var transport = new StreamTransport(input, output, runtime.Time, endOfOutput);
        var origin = new ConnectionOrigin(Door.Local, Address: null, place);
        await new JsonRpcConnection(runtime, transport, origin, new Caller("local", Scopes.Read | Scopes.Write, Door.Local)).RunAsync().ConfigureAwait(false);
    }

    [LoggerMessage(EventId = LogEvents.LocalEndpointRefused, Level = LogLevel.Warning, Message = "Refused a connection on {Door}: {Reason}")]
    private partial void LogRefused(string door, string reason);
}
