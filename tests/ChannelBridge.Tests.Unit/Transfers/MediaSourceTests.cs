using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Net;
using ChannelBridge.Core.Transfers;
using ChannelBridge.Tests.Unit.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Transfers;

/// <summary>What an agent or an operator may send: bytes, and paths within the allowed folders only.</summary>
public sealed class MediaSourceTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TransfersUnderTest _host;
    private readonly MediaSource _media;

    // A name that was public when it was looked at and is private when it is connected to gains nothing: what is connected to is what is looked at.
    private readonly PublicHttp _http = new(TimeSpan.FromSeconds(5), resolve: (_, _) => Task.FromResult(new[] { System.Net.IPAddress.Loopback }));

    public MediaSourceTests()
    {
        var time = new ManualTime();
        _host = new TransfersUnderTest(new MemoryStore(time), _folder.File("spool"), time, options => options.Roots = [_folder.File("out")]);
        _media = new MediaSource(_host.Spool, _host.Options, _http);
        Directory.CreateDirectory(_folder.File("out/deep"));
        File.WriteAllText(_folder.File("out/deep/a.txt"), "hello");
        File.WriteAllText(_folder.File("secret.txt"), "secret");
    }

    public void Dispose()
    {
        _http.Dispose();
        _host.Dispose();
        _folder.Remove();
    }

    private ValueTask<Attachment> TakeAsync(string location) => _media.TakeAsync("bncr", "Primary", new Attachment { Location = location });

    [Fact]
    public async Task A_path_within_the_folders_is_taken_under_its_name()
    {
        foreach (var location in new[] { _folder.File("out/deep/a.txt"), "file://" + _folder.File("out/deep/a.txt"), _folder.File("out/deep/../deep/a.txt") })
        {
            var file = await TakeAsync(location);
            Assert.Equal(("a.txt", 5L, "text/plain"), (file.FileName, file.Size, file.MimeType));
            Assert.Equal("hello"u8.ToArray(), await _host.Spool.ReadAsync(file, 100));
        }
    }

    [Fact]
    public async Task A_path_elsewhere_or_behind_a_link_is_refused()
    {
        if (!OperatingSystem.IsWindows())
        {
            File.CreateSymbolicLink(_folder.File("out/link.txt"), _folder.File("secret.txt"));
            Directory.CreateSymbolicLink(_folder.File("out/up"), _folder.Path);
        }

        foreach (var location in new[]
        {
            "/etc/passwd", _folder.File("secret.txt"), _folder.File("out/../secret.txt"), _folder.File("out/link.txt"), _folder.File("out/up/secret.txt"), _folder.File("outside"),
            "secret.txt", "../secret.txt", _folder.File("out/deep/a.txt") + "\0.png", "file:///etc/passwd", _folder.File("out"),
        })
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(() => TakeAsync(location).AsTask());
            Assert.Equal(ErrorCodes.Forbidden, fault.Code);
        }

        Assert.Equal(ErrorCodes.NotFound, (await Assert.ThrowsAsync<BridgeException>(() => TakeAsync(_folder.File("out/none.txt")).AsTask())).Code);
    }

    /// <summary>Guards against a token that writes and so reads the host's own secrets: a root can well contain the data folder.</summary>
    [Fact]
    public async Task A_path_to_what_is_the_hosts_own_is_refused_within_a_root_too()
    {
        Directory.CreateDirectory(_folder.File("out/data"));
        Directory.CreateDirectory(_folder.File("out/elsewhere"));
        foreach (var file in new[] { "out/data/token", "out/database", "out/elsewhere/a.txt" }) File.WriteAllText(_folder.File(file), "secret");
        _host.Options.Refused = [_folder.File("out/data"), _folder.File("out/tls.key"), _folder.File("link-to-elsewhere")];
        File.WriteAllText(_folder.File("out/tls.key"), "secret");
        if (!OperatingSystem.IsWindows()) Directory.CreateSymbolicLink(_folder.File("link-to-elsewhere"), _folder.File("out/elsewhere"));
        _host.Options.Folder = _folder.File("out/spool");
        Directory.CreateDirectory(_folder.File("out/spool/parts"));
        File.WriteAllText(_folder.File("out/spool/parts/x"), "another's file");
        foreach (var path in new[] { "out/data/token", "out/deep/../data/token", "out/tls.key", "out/elsewhere/a.txt", "out/spool/parts/x" })
        {
            if (OperatingSystem.IsWindows() && path.Contains("elsewhere", StringComparison.Ordinal)) continue;
            Assert.Equal(ErrorCodes.Forbidden, (await Assert.ThrowsAsync<BridgeException>(() => TakeAsync(_folder.File(path)).AsTask())).Code);
        }

        Assert.Equal("database", (await TakeAsync(_folder.File("out/database"))).FileName);
    }

    /// <summary>Guards against a send that waits for ever: the opening of a pipe waits for somebody who writes to it.</summary>
    [Fact]
    public async Task What_is_no_regular_file_is_refused_at_once()
    {
        if (OperatingSystem.IsWindows()) return;
        using var made = System.Diagnostics.Process.Start("mkfifo", [_folder.File("out/pipe")]);
        await made.WaitForExitAsync();
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(_folder.File("out/socket")));
        foreach (var name in new[] { "out/pipe", "out/socket", "out/deep" })
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(() => TakeAsync(_folder.File(name)).AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
            Assert.Equal(ErrorCodes.NotFound, fault.Code);
        }
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/a.png")]
    [InlineData("http://[::1]:1/a.png")]
    [InlineData("http://10.0.0.1/a.png")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://2130706433/a.png")]
    [InlineData("http://0x7f.1/a.png")]
    [InlineData("http://[::ffff:127.0.0.1]/a.png")]
    [InlineData("http://rebinding.example.org/a.png")]
    [InlineData("http://user:password@example.org/a.png")]
    [InlineData("ftp://example.org/a.png")]
    [InlineData("gopher://127.0.0.1/")]
    public async Task A_url_that_leads_to_a_private_address_is_refused(string url) =>
        Assert.Equal(ErrorCodes.InvalidRequest, (await Assert.ThrowsAsync<BridgeException>(() => TakeAsync(url).AsTask())).Code);

    [Fact]
    public async Task A_stream_longer_than_the_largest_file_leaves_nothing_behind()
    {
        _host.Options.MaxFileBytes = 1000;
        var fault = await Assert.ThrowsAsync<BridgeException>(() => _host.Spool.ImportAsync("bncr", "Primary", new MemoryStream(new byte[5000]), "x", null, null).AsTask());
        Assert.Equal(ErrorCodes.PayloadTooLarge, fault.Code);
        Assert.Empty(Directory.EnumerateFiles(_folder.File("spool/parts")));
    }
}
