namespace ChannelBridge.Core.Hosting;

/// <summary>The doors, as the owner of the start sees them.</summary>
internal interface IDoors
{
    /// <summary>Opens the doors that this host opens itself.</summary>
    Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>Lets nobody in any more. Open connections go on, pushes and acks included.</summary>
    Task StopAcceptingAsync();

    /// <summary>Closes everything in order.</summary>
    Task CloseAsync(CancellationToken cancellationToken = default);
}
