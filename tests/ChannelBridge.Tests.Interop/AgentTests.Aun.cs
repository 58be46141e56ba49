using System.Diagnostics;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <content>The same agent as an AID of the AUN endpoint.</content>
public sealed partial class AgentTests
{
    /// <summary>A client in Python, written from the protocol's text, registers an AID and asks.</summary>
    [OpenClawFact]
    public async Task Aun_TheAgentsAid_AnswersWhatIsSealedAndWhatIsPlain()
    {
        var driver = Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Aun", "Drivers", "ask_agent.py");
        using var client = Process.Start(
            new ProcessStartInfo("/usr/bin/python3", [driver, "--base", lab.Url, "--agent", AgentLab.Aid, "--ask", "please ask:aun-{}"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
        try
        {
            var (output, errors) = (client.StandardOutput.ReadToEndAsync(), client.StandardError.ReadToEndAsync());
            await client.WaitForExitAsync().WaitAsync(Patience);
            Assert.True(client.ExitCode == 0, await errors + lab.Gateway.Log);
            Assert.Equal(["sealed: answer to aun-sealed", "plain: answer to aun-plain", "done"], (await output).Trim().Split('\n'));
        }
        finally
        {
            if (!client.HasExited) client.Kill();
        }

        // One sender's messages are one conversation, whichever way they were sent.
        Assert.Contains("aun-sealed", lab.Model.PromptOf("aun-plain"), StringComparison.Ordinal);
        Assert.Equal((1, 1), (lab.Model.CountOf("aun-sealed"), lab.Model.CountOf("aun-plain")));
    }
}
