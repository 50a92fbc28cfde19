"""Measures of how alike two pictures are: PSNR, SSIM, LPIPS."""
