namespace ChannelBridge.Host.Composition;

/// <summary>
/// Watches standard input of a managed host. The parent holds its other end and never needs to write: when the parent ends, however it ends, the
/// system closes it, and the host stops in order. So no parent leaves an orphan behind, not even one that was killed.
/// </summary>
internal sealed partial class ParentWatch(IHostApplicationLifetime lifetime, ILogger<ParentWatch> logger) : IHostedService
{
    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Nothing ends a read of standard input, so it has a thread of its own, which the end of the process ends.
        new Thread(Watch) { IsBackground = true, Name = "parent watch" }.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Watch()
    {
        try
        {
            using var input = Console.OpenStandardInput();
            Span<byte> unread = stackalloc byte[256];
            while (input.Read(unread) > 0)
            {
                // What the parent writes means nothing.
            }
        }
        catch (IOException fault)
        {
            LogBroken(fault.Message);
        }

        LogParentGone();
        lifetime.StopApplication();
    }

    [LoggerMessage(LogEvents.ParentWatchParentGone, LogLevel.Information, "Standard input has ended: the program that started this host is gone or wants it to stop")]
    private partial void LogParentGone();

    [LoggerMessage(LogEvents.ParentWatchBroken, LogLevel.Warning, "Standard input can't be read: {Reason}")]
    private partial void LogBroken(string reason);
}
