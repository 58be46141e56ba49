using System.IO.Pipelines;
using ChannelBridge.Endpoints.Connections;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>Standard input and output: one client, the parent process. The end of input stops the host.</summary>
internal sealed partial class StdioEndpoint(EndpointRuntime runtime, IHostApplicationLifetime lifetime) : LocalEndpoint(runtime)
{
    private readonly ILogger _logger = runtime.Logger;

    public override string Description => "standard input and output";

    public override Task OpenAsync()
    {
        _ = RunAsync();
        return Task.CompletedTask;
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task RunAsync()
    {
        using var stop = new CancellationTokenSource();
        try
        {
            var pipe = new Pipe();
            var pumping = PumpAsync(Console.OpenStandardInput(), pipe.Writer, stop.Token);
            var output = Console.OpenStandardOutput();
            await ServeAsync(pipe.Reader.AsStream(), output, () => End(output, stop)).ConfigureAwait(false);
            await stop.CancelAsync().ConfigureAwait(false);
            await pumping.ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            LogServeFailed(fault);
        }

        LogEnded();
        lifetime.StopApplication();
    }

    private static void End(Stream output, CancellationTokenSource stop)
    {
        output.Dispose();
        stop.Cancel();
    }

    // Nothing ends a read of standard input: it blocks a thread until the parent writes or closes. So it reads into a buffer of its own, and is left
    // behind when the host stops.
    private static async Task PumpAsync(Stream input, PipeWriter writer, CancellationToken stop)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (true)
            {
                var reading = Task.Run(() => input.Read(buffer), CancellationToken.None);
                var count = await reading.WaitAsync(stop).ConfigureAwait(false);
                if (count == 0) return;
                if ((await writer.WriteAsync(buffer.AsMemory(0, count), stop).ConfigureAwait(false)).IsCompleted) return;
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
        finally
        {
            await writer.CompleteAsync().ConfigureAwait(false);
        }
    }

    [LoggerMessage(EventId = LogEvents.StdioEndpointEnded, Level = LogLevel.Information, Message = "Standard input and output are closed: stopping")]
    private partial void LogEnded();

    [LoggerMessage(EventId = LogEvents.StdioEndpointServeFailed, Level = LogLevel.Error, Message = "Serving standard input and output failed")]
    private partial void LogServeFailed(Exception fault);
}
