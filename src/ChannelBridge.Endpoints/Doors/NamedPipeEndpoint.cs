using System.Diagnostics.CodeAnalysis;
using System.IO.Pipes;
using ChannelBridge.Endpoints.Connections;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>The named pipe that stands in for the Unix socket on Windows; only the same user may open it.</summary>
[SuppressMessage("Reliability", "CA2213", Justification = "The source has neither timer nor wait handle, and may be cancelled twice.")]
internal sealed partial class NamedPipeEndpoint(EndpointRuntime runtime, string name) : LocalEndpoint(runtime)
{
    private readonly ILogger _logger = runtime.Logger;
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;

    public override string Description => $@"\\.\pipe\{name}";

    public override Task OpenAsync()
    {
        _accepting = AcceptAsync(Create());
        return Task.CompletedTask;
    }

    public override async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(false);
    }

    private NamedPipeServerStream Create()
    {
        try
        {
            return new NamedPipeServerStream(
                name, PipeDirection.InOut, NamedPipeServerStream.MaxAllowedServerInstances, PipeTransmissionMode.Byte,
                PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
        }
        catch (UnauthorizedAccessException fault)
        {
            throw new IOException($"the named pipe {name} belongs to another user's process", fault);
        }
    }

    private async Task AcceptAsync(NamedPipeServerStream pipe)
    {
        while (true)
        {
            try
            {
                await pipe.WaitForConnectionAsync(_stop.Token).ConfigureAwait(false);
                _ = ServeClientAsync(pipe);
                pipe = Create();
            }
            catch (OperationCanceledException)
            {
                await pipe.DisposeAsync().ConfigureAwait(false);
                return;
            }
            catch (IOException fault)
            {
                // The client was gone before it was served.
                LogAcceptFailed(fault, name);
                await pipe.DisposeAsync().ConfigureAwait(false);
                pipe = Create();
            }
        }
    }

    private async Task ServeClientAsync(NamedPipeServerStream pipe)
    {
        try
        {
            await using (pipe.ConfigureAwait(false))
            {
                await ServeAsync(pipe, pipe, endOfOutput: null).ConfigureAwait(false);
            }
        }
        catch (Exception fault)
        {
            LogServeFailed(fault, name);
        }
    }

    [LoggerMessage(EventId = LogEvents.NamedPipeEndpointAcceptFailed, Level = LogLevel.Warning, Message = "Accepting on the named pipe {Name} failed")]
    private partial void LogAcceptFailed(Exception fault, string name);

    [LoggerMessage(EventId = LogEvents.NamedPipeEndpointServeFailed, Level = LogLevel.Error, Message = "Serving a client of the named pipe {Name} failed")]
    private partial void LogServeFailed(Exception fault, string name);
}
